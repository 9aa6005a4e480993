-- Everything shown is kept on the organization's row, so the answer takes as long after a million
-- entries as after ten. The margin is for roles that may read its column; for a tenant it is null.
create or replace function wallet.get_wallet_summary(p_org_id uuid)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_summary jsonb;
    v_profit bigint;
begin
    perform wallet.require_value('p_org_id', p_org_id);

    if has_column_privilege('wallet.organizations', 'total_profit_pence', 'select') then
        select total_profit_pence into v_profit from wallet.organizations where id = p_org_id;
    end if;

    select jsonb_build_object(
        'success', true,
        'org_id', id,
        'name', name,
        'currency', currency,
        'currency_decimals', wallet.currency_decimals(currency),
        'balance_pence', wallet_balance_pence,
        'balance_formatted', wallet.format_money(wallet_balance_pence, currency),
        'reserved_pence', reserved_pence,
        'owed_pence', owed_pence,
        'available_pence', wallet_balance_pence::numeric - reserved_pence - owed_pence,
        'debt_limit_pence', debt_limit_pence,
        'low_balance_pence', wallet_low_balance_pence,
        'is_low_balance', wallet_balance_pence < wallet_low_balance_pence,
        'auto_recharge_enabled', wallet_auto_recharge,
        'recharge_amount_pence', wallet_recharge_amount_pence,
        'has_payment_method', stripe_default_pm_id is not null,
        'total_topped_up_pence', total_topped_up_pence,
        'total_spent_pence', total_spent_pence,
        'total_calls', total_calls,
        'total_profit_pence', v_profit
    ) into v_summary
    from wallet.organizations
    where id = p_org_id;

    return coalesce(v_summary, wallet.refuse_unknown_organization(p_org_id));
end;
$$;

revoke all on function wallet.get_wallet_summary(uuid) from public;
grant execute on function wallet.get_wallet_summary(uuid) to service_role, authenticated;

comment on function wallet.get_wallet_summary(uuid) is
'Balance, what is reserved, owed by calls and available (balance minus both, without the debt limit), settings and totals of a wallet, in minor units. Refuses organization_not_found; raises WL001.';
