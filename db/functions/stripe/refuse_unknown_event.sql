create or replace function wallet.refuse_unknown_event(p_event_id text)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'event_not_found',
        format('No event %s was ever delivered.', p_event_id),
        jsonb_build_object('event_id', p_event_id)
    )
$$;

revoke all on function wallet.refuse_unknown_event(text) from public;

comment on function wallet.refuse_unknown_event(text) is
'Internal: the refusal event_not_found.';
