create or replace function wallet.refuse_unknown_recharge(p_org_id uuid, p_attempt_id uuid)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'recharge_not_found',
        format('Organization %s has no recharge attempt %s.', p_org_id, p_attempt_id),
        jsonb_build_object('org_id', p_org_id, 'attempt_id', p_attempt_id)
    )
$$;

revoke all on function wallet.refuse_unknown_recharge(uuid, uuid) from public;

comment on function wallet.refuse_unknown_recharge(uuid, uuid) is
'Internal: the refusal recharge_not_found.';
