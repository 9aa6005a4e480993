-- The order is that of the answer's use: what the customer can change comes first.
create or replace function wallet.find_recharge_obstacle(p_org_id uuid)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_organization wallet.organizations;
    v_settings wallet.recharge_settings;
    v_under_way bigint;
    v_recent record;
begin
    select * into strict v_organization from wallet.organizations where id = p_org_id;
    select * into v_settings from wallet.recharge_settings where org_id = p_org_id;

    if not v_organization.wallet_auto_recharge then
        return 'off';
    elsif v_organization.stripe_customer_id is null or v_organization.stripe_default_pm_id is null then
        return 'no_payment_method';
    elsif v_settings.blocked_payment_method_id = v_organization.stripe_default_pm_id then
        return 'payment_method_blocked';
    elsif wallet.find_freeze(p_org_id, 'recharges') is not null then
        return 'wallet_frozen';
    elsif exists (select from wallet.recharge_attempts where org_id = p_org_id and closed_at is null) then
        return 'attempt_open';
    end if;

    -- A payment that waits for its bank is on its way; bank debits take up to 14 days.
    select coalesce(sum(amount_pence), 0) into v_under_way
    from wallet.topups
    where
        org_id = p_org_id
        and status = 'pending'
        and stripe_payment_intent_id is not null
        and updated_at > clock_timestamp() - interval '14 days';
    if v_organization.wallet_balance_pence + v_under_way >= v_organization.wallet_low_balance_pence then
        return 'balance_sufficient';
    end if;

    select
        count(*) as month_count,
        count(*) filter (where closed_at > clock_timestamp() - interval '1 day') as day_count,
        coalesce(sum(amount_pence) filter (where state = 'succeeded'), 0) as month_pence,
        coalesce(
            sum(amount_pence) filter (
                where state = 'succeeded' and closed_at > clock_timestamp() - interval '1 day'
            ), 0
        ) as day_pence,
        max(closed_at) + make_interval(secs => v_settings.cooldown_seconds) as cooldown_end
    into v_recent
    from wallet.recharge_attempts
    where org_id = p_org_id and closed_at > clock_timestamp() - interval '30 days';

    return case
        when v_recent.cooldown_end > clock_timestamp() then 'cooldown'
        when v_recent.day_count >= v_settings.max_per_day then 'max_per_day'
        when v_recent.month_count >= v_settings.max_per_month then 'max_per_month'
        when v_recent.day_pence + v_organization.wallet_recharge_amount_pence > v_settings.max_pence_per_day
            then 'max_pence_per_day'
        when v_recent.month_pence + v_organization.wallet_recharge_amount_pence > v_settings.max_pence_per_month
            then 'max_pence_per_month'
    end;
end;
$$;

revoke all on function wallet.find_recharge_obstacle(uuid) from public;

comment on function wallet.find_recharge_obstacle(uuid) is
'Internal: why no automatic recharge may start now, in a word; null when one may. Final only under the organization''s lock.';
