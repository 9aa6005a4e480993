-- Two organizations that have something of everything. Included with \ir after support.sql, stripe/events.sql,
-- checkout/checkouts.sql and tenants/tenants.sql.
--
-- What belongs to acme says 'acme' or has the digits 5555; of globex it is 'globex' and 7777.
create function pg_temp.open_tenant(p_name text, p_digits text) returns void
language plpgsql
as $$
declare
    v_org_id constant uuid := pg_temp.org(p_name);
    v_pence constant bigint := p_digits;
begin
    perform wallet.create_wallet(v_org_id, p_name || ' Ltd', p_name || '@example.com');
    perform wallet.attach_stripe_customer(v_org_id, 'cus_' || p_name);
    perform wallet.add_wallet_credits(
        v_org_id, v_pence * 10000, 'topup', 'pi_' || p_name, p_description => 'Money of ' || p_name,
        p_idempotency_key => p_name
    );
    perform pg_temp.tell(
        'payment_method.attached', pg_temp.card(jsonb_build_object('id', 'pm_' || p_name, 'customer', 'cus_' || p_name))
    );
    perform wallet.set_auto_recharge(
        v_org_id, true, p_name, v_pence * 10000, v_pence * 10000 + 1, p_max_pence_per_day => v_pence * 10000 + 1,
        p_max_pence_per_month => v_pence * 10000 + 1
    );
    perform pg_temp.attach(pg_temp.begin(p_name, v_pence, 'key of ' || p_name));
    perform wallet.deduct_call_credits(v_org_id, 'call_1_' || p_name, 'vapi_1_' || p_name, 100, 300, v_pence);
    perform wallet.reserve_call_credits(v_org_id, 'call_2_' || p_name, p_allow_partial => true);
    perform wallet.bill_call(v_org_id, 'call_3_' || p_name, 60, p_provider_cost_pence => 10);
    perform wallet.charge_sms(v_org_id, 'message_' || p_name);
    perform wallet.provision_phone_number(v_org_id, '+44207946' || p_digits, 'number_' || p_name);
    perform wallet.set_agent(v_org_id, null, 'Agent of ' || p_name);
    perform wallet.set_debt_limit(v_org_id, v_pence, p_name);
    perform wallet.freeze_wallet(v_org_id, 'Under review: ' || p_name, p_name);
    perform wallet.set_exchange_rate('usd', 'gbp', v_pence / 10000.0, p_name, p_org_id => v_org_id);
end;
$$;

do $$
begin
    perform pg_temp.open_tenant('acme', '5555');
    perform pg_temp.open_tenant('globex', '7777');
    perform wallet.configure_freeze('operator', false, false, 'ann');
end $$;

create function pg_temp.as_acme(p_statement text) returns text
language sql
return pg_temp.as_user(pg_temp.claims('acme'), p_statement);
