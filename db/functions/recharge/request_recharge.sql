-- The attempt is written in the transaction that spends, under its lock: it is there exactly if the
-- spending is, and fifty spenders at once find the first one's.
create or replace function wallet.request_recharge(p_org_id uuid)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant uuid := gen_random_uuid();
begin
    insert into wallet.recharge_settings (org_id) values (p_org_id) on conflict (org_id) do nothing;

    if wallet.find_recharge_obstacle(p_org_id) is not null then
        return false;
    end if;

    insert into wallet.recharge_attempts (
        org_id, id, amount_pence, currency, stripe_customer_id, stripe_payment_method_id, balance_pence
    )
    select
        id, v_id, wallet_recharge_amount_pence, currency, stripe_customer_id, stripe_default_pm_id,
        wallet_balance_pence
    from wallet.organizations
    where id = p_org_id;

    insert into wallet.topups (org_id, id, kind, amount_pence, price_pence, currency, stripe_request)
    select
        org_id, id, 'wallet_auto_recharge', amount_pence, amount_pence, currency, wallet.recharge_request(a)
    from wallet.recharge_attempts as a
    where org_id = p_org_id and id = v_id;

    perform pg_notify('pgwallet_recharge', '');
    return true;
end;
$$;

revoke all on function wallet.request_recharge(uuid) from public;

comment on function wallet.request_recharge(uuid) is
'Internal: opens an attempt to charge the saved card, with its amount, customer, card and parameters for Stripe fixed for good, unless find_recharge_obstacle names a reason not to. Answers whether it did. The caller holds the organization''s lock.';
