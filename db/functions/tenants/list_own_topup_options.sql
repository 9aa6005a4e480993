create or replace function wallet.list_own_topup_options()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select case
        when own_org_id is null then wallet.refuse_unknown_organization(null)
        else wallet.list_topup_options(own_org_id)
    end
    from wallet.own_org_id()
$$;

revoke all on function wallet.list_own_topup_options() from public;
grant execute on function wallet.list_own_topup_options() to authenticated;

comment on function wallet.list_own_topup_options() is
'list_topup_options of the organization that the token names. Refuses organization_not_found.';
