-- Stripe's events as the tests need them. Included with \ir after support.sql.

create function pg_temp.session(p_name text default 'acme', p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 'cs_1', 'object', 'checkout.session', 'mode', 'payment', 'status', 'complete', 'payment_status', 'paid',
    'amount_subtotal', 5000, 'amount_total', 5000, 'total_details', '{"amount_tax": 0}'::jsonb, 'currency', 'gbp',
    'customer', 'cus_1', 'payment_intent', 'pi_1', 'client_reference_id', pg_temp.org(p_name),
    'metadata', jsonb_build_object('type', 'wallet_topup', 'org_id', pg_temp.org(p_name), 'amount_pence', '5000')
) || p_changes;

create function pg_temp.intent(p_name text default 'acme', p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 'pi_1', 'object', 'payment_intent', 'status', 'succeeded', 'amount', 5000, 'amount_received', 5000,
    'currency', 'gbp', 'customer', 'cus_1', 'payment_method', 'pm_1', 'setup_future_usage', 'off_session',
    'latest_charge', 'ch_1',
    'metadata', jsonb_build_object('type', 'wallet_topup', 'org_id', pg_temp.org(p_name), 'amount_pence', '5000')
) || p_changes;

create function pg_temp.event(p_id text, p_type text, p_object jsonb, p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', p_id, 'object', 'event', 'type', p_type, 'livemode', false, 'created', 1790000000,
    'api_version', '2026-09-30', 'data', jsonb_build_object('object', p_object)
) || p_changes;

-- Delivers an event, as Stripe would through the HTTP service.
create function pg_temp.deliver(p_id text, p_type text, p_object jsonb, p_changes jsonb default '{}') returns jsonb
language sql
as $$
    select wallet.process_stripe_event(pg_temp.event(p_id, p_type, p_object, p_changes))
$$;

-- What is left of the payments of a wallet: balance, top-up entries, and the states of its top-ups.
create function pg_temp.payments(p_name text) returns text
language sql stable
return (
    select
        format(
            'balance %s, credits %s, top-ups %s',
            o.wallet_balance_pence,
            (
                select count(*) from wallet.credit_transactions as e
                where e.org_id = o.id and e.type = 'topup'
            ),
            coalesce(
                (
                    select string_agg(t.status, ' ' order by t.created_at, t.id) from wallet.topups as t
                    where t.org_id = o.id
                ),
                'none'
            )
        )
    from wallet.organizations as o
    where o.id = pg_temp.org(p_name)
);

-- How an event is stored: its status and number of deliveries.
create function pg_temp.stored(p_event_id text) returns text
language sql stable
return (select status || ' ' || attempts from wallet.processed_stripe_webhooks where event_id = p_event_id);
