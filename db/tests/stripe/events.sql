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

-- An event that was never delivered before.
create function pg_temp.tell(p_type text, p_object jsonb, p_changes jsonb default '{}') returns jsonb
language sql
return pg_temp.deliver('evt_' || gen_random_uuid(), p_type, p_object, p_changes);

-- A wallet with one credited payment more, whose payment intent is pi_<name>.
create function pg_temp.pay(
    p_name text, p_granted_pence bigint default 5000, p_charged_pence bigint default null
) returns jsonb
language plpgsql
as $$
begin
    perform pg_temp.open_wallet(p_name);
    return pg_temp.tell(
        'payment_intent.succeeded',
        jsonb_set(
            pg_temp.intent(
                p_name,
                jsonb_build_object(
                    'id', 'pi_' || p_name, 'amount_received', coalesce(p_charged_pence, p_granted_pence)
                )
            ),
            '{metadata,amount_pence}',
            to_jsonb(p_granted_pence::text)
        )
    );
end;
$$;

-- What Stripe tells of such a payment afterwards.
create function pg_temp.refund(p_name text, p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 're_1', 'object', 'refund', 'amount', 1000, 'currency', 'gbp', 'status', 'succeeded', 'charge', 'ch_1',
    'payment_intent', 'pi_' || p_name
) || p_changes;

create function pg_temp.charge(p_name text, p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 'ch_1', 'object', 'charge', 'amount', 5000, 'amount_refunded', 1000, 'currency', 'gbp',
    'payment_intent', 'pi_' || p_name
) || p_changes;

create function pg_temp.dispute(p_name text, p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 'du_1', 'object', 'dispute', 'amount', 5000, 'currency', 'gbp', 'status', 'needs_response',
    'reason', 'fraudulent', 'charge', 'ch_1', 'payment_intent', 'pi_' || p_name
) || p_changes;

create function pg_temp.warning(p_name text, p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 'issfr_1', 'object', 'radar.early_fraud_warning', 'actionable', true, 'charge', 'ch_1',
    'fraud_type', 'made_with_stolen_card', 'payment_intent', 'pi_' || p_name
) || p_changes;

create function pg_temp.card(p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 'pm_1', 'object', 'payment_method', 'type', 'card', 'customer', 'cus_1',
    'card', '{"brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2031}'::jsonb
) || p_changes;

-- An object for each type of event that has an effect.
create function pg_temp.object_of(p_type text, p_name text) returns jsonb
language sql
return case
    when p_type like 'checkout.session.%' then pg_temp.session(p_name)
    when p_type like 'payment_intent.%' then pg_temp.intent(p_name)
    when p_type like 'refund.%' then pg_temp.refund(p_name)
    when p_type like 'charge.dispute.%' then pg_temp.dispute(p_name)
    when p_type like 'charge.%' then pg_temp.charge(p_name)
    when p_type like 'radar.%' then pg_temp.warning(p_name)
    when p_type like 'payment_method.%' then pg_temp.card()
end;

-- What was taken back of a wallet's payments and what was returned, in order.
create function pg_temp.reversals(p_name text) returns text
language sql stable
return (
    select coalesce(
        string_agg(case direction when 'debit' then '-' else '+' end || amount_pence, ' ' order by entry_number), 'none'
    )
    from wallet.credit_transactions
    where org_id = pg_temp.org(p_name) and type = 'topup_reversal'
);

-- How many messages of a topic a wallet has caused.
create function pg_temp.messages(p_name text, p_topic text) returns bigint
language sql stable
return (select count(*) from wallet.outbox_messages where org_id = pg_temp.org(p_name) and topic = p_topic);

-- Every order of these steps.
create function pg_temp.permutations(p_steps text[]) returns setof text[]
language sql
as $$
    with recursive orders as (
        select array[]::text[] as steps
        union all
        select o.steps || s
        from orders as o, unnest(p_steps) as s
        where s <> all (o.steps)
    )

    select steps from orders where cardinality(steps) = cardinality(p_steps)
$$;
