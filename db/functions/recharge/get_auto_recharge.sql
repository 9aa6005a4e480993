create or replace function wallet.get_auto_recharge(p_org_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value('p_org_id', p_org_id);
    if not exists (select from wallet.organizations where id = p_org_id) then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    insert into wallet.recharge_settings (org_id) values (p_org_id) on conflict (org_id) do nothing;

    return jsonb_build_object('success', true, 'org_id', p_org_id)
    || wallet.describe_auto_recharge(p_org_id)
    || wallet.describe_recharge_state(p_org_id);
end;
$$;

revoke all on function wallet.get_auto_recharge(uuid) from public;
grant execute on function wallet.get_auto_recharge(uuid) to service_role;

comment on function wallet.get_auto_recharge(uuid) is
'The settings of automatic recharge, whether it could charge now, and if not, why: obstacle is off, no_payment_method, payment_method_blocked, wallet_frozen, attempt_open, balance_sufficient, cooldown, max_per_day, max_per_month, max_pence_per_day, max_pence_per_month, or null. Refuses organization_not_found; raises WL001.';
