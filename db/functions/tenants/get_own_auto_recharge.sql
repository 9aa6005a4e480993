create or replace function wallet.get_own_auto_recharge()
returns jsonb
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    select case
        when own_org_id is null then wallet.refuse_unknown_organization(null)
        else wallet.get_auto_recharge(own_org_id)
    end
    from wallet.own_org_id()
$$;

revoke all on function wallet.get_own_auto_recharge() from public;
grant execute on function wallet.get_own_auto_recharge() to authenticated;

comment on function wallet.get_own_auto_recharge() is
'get_auto_recharge of the organization that the token names. Refuses organization_not_found.';
