create or replace function wallet.set_own_auto_recharge(
    p_enabled boolean,
    p_threshold_pence bigint default null,
    p_amount_pence bigint default null
)
returns jsonb
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    select case
        when own_org_id is null then wallet.refuse_unknown_organization(null)
        else wallet.set_auto_recharge(
            own_org_id,
            p_enabled,
            wallet.own_user(),
            p_threshold_pence => p_threshold_pence,
            p_amount_pence => p_amount_pence
        )
    end
    from wallet.own_org_id()
$$;

revoke all on function wallet.set_own_auto_recharge(boolean, bigint, bigint) from public;
grant execute on function wallet.set_own_auto_recharge(boolean, bigint, bigint) to authenticated;

comment on function wallet.set_own_auto_recharge(boolean, bigint, bigint) is
'set_auto_recharge of the organization that the token names, by its user: on or off, threshold and amount in minor units. How often and how much may be charged is for the seller to set. Locks the organization''s row. Refuses organization_not_found; raises WL001, WL006.';
