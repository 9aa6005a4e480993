create or replace function wallet.refuse_frozen(p_org_id uuid, p_action text)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'wallet_frozen',
        format('The wallet is frozen: %s.', wallet.find_freeze(p_org_id, p_action)),
        jsonb_build_object('org_id', p_org_id, 'refused', p_action)
    )
$$;

revoke all on function wallet.refuse_frozen(uuid, text) from public;

comment on function wallet.refuse_frozen(uuid, text) is
'Internal: the refusal wallet_frozen, for checkouts or spending.';
