create or replace function wallet.lock_wallet(p_org_id uuid)
returns wallet.organizations
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet wallet.organizations;
begin
    select * into v_wallet
    from wallet.organizations
    where id = p_org_id
    for no key update;

    if (v_wallet.reserved_pence > 0 or v_wallet.owed_pence > 0) and wallet.settle_wallet(p_org_id) then
        select * into v_wallet
        from wallet.organizations
        where id = p_org_id;
    end if;
    return v_wallet;
end;
$$;

revoke all on function wallet.lock_wallet(uuid) from public;

comment on function wallet.lock_wallet(uuid) is
'Internal: locks an organization''s row and settles its wallet; all nulls where there is none.';
