create or replace function wallet.ignore_event(p_reason text)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object('success', true, 'outcome', 'ignored', 'message', p_reason)
$$;

revoke all on function wallet.ignore_event(text) from public;

comment on function wallet.ignore_event(text) is
'Internal: the answer to a Stripe event that is none of our business.';
