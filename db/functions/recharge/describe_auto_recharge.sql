create or replace function wallet.describe_auto_recharge(p_org_id uuid)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'enabled', o.wallet_auto_recharge,
        'threshold_pence', o.wallet_low_balance_pence,
        'amount_pence', o.wallet_recharge_amount_pence,
        'max_per_day', s.max_per_day,
        'max_per_month', s.max_per_month,
        'max_pence_per_day', s.max_pence_per_day,
        'max_pence_per_month', s.max_pence_per_month,
        'cooldown_seconds', s.cooldown_seconds,
        'max_declines', s.max_declines
    )
    from wallet.organizations as o
    inner join wallet.recharge_settings as s on s.org_id = o.id
    where o.id = p_org_id
$$;

revoke all on function wallet.describe_auto_recharge(uuid) from public;

comment on function wallet.describe_auto_recharge(uuid) is
'Internal: what set_auto_recharge sets, under the names of its parameters.';
