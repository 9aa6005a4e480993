create or replace function wallet.refuse_unknown_number(p_org_id uuid, p_name text)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'phone_number_not_found',
        format('Organization %s has no phone number %s.', p_org_id, p_name),
        jsonb_build_object('org_id', p_org_id, 'phone_number', p_name)
    )
$$;

revoke all on function wallet.refuse_unknown_number(uuid, text) from public;

comment on function wallet.refuse_unknown_number(uuid, text) is
'Internal: the refusal phone_number_not_found. p_name is the id or the idempotency key that was asked for.';
