-- What the tests of automatic recharge share. Included with \ir after support.sql and stripe/events.sql.

-- A wallet that recharges itself by 5000 below 500, with the card pm_<name> of the customer cus_<name>.
create function pg_temp.rechargeable(p_name text, p_balance_pence bigint default 600) returns uuid
language plpgsql
as $$
begin
    perform pg_temp.open_wallet(p_name, p_balance_pence);
    perform wallet.attach_stripe_customer(pg_temp.org(p_name), 'cus_' || p_name);
    perform wallet.keep_payment_method(pg_temp.org(p_name), 'pm_' || p_name);
    perform wallet.set_auto_recharge(pg_temp.org(p_name), true, 'ann', 500, 5000);
    return pg_temp.org(p_name);
end;
$$;

create function pg_temp.spend(p_name text, p_amount_pence bigint default 200) returns jsonb
language sql
return wallet.deduct_call_credits(pg_temp.org(p_name), gen_random_uuid()::text, null, 1, 1, p_amount_pence);

-- The attempts of a wallet by their states, the open one last.
create function pg_temp.attempts(p_name text) returns text
language sql stable
return (
    select coalesce(string_agg(state, ' ' order by closed_at), 'none')
    from wallet.recharge_attempts
    where org_id = pg_temp.org(p_name)
);

-- The attempt that is open, or else the one that was closed last.
create function pg_temp.attempt(p_name text) returns wallet.recharge_attempts
language sql stable
as $$
    select *
    from wallet.recharge_attempts
    where org_id = pg_temp.org(p_name)
    order by closed_at desc nulls first
    limit 1
$$;

-- Claims whatever is due, and answers what this wallet has of it.
create function pg_temp.claim(p_name text, p_worker text default 'worker') returns jsonb
language sql
as $$
    select r
    from jsonb_array_elements(wallet.claim_recharges(p_worker, 100) -> 'recharges') as r
    where r ->> 'org_id' = pg_temp.org(p_name)::text
$$;

-- So much time goes by for the attempts of a wallet.
create function pg_temp.later(p_name text, p_interval interval) returns void
language sql
as $$
    update wallet.recharge_attempts
    set
        created_at = created_at - p_interval,
        first_called_at = first_called_at - p_interval,
        next_try_at = next_try_at - p_interval,
        closed_at = closed_at - p_interval
    where org_id = pg_temp.org(p_name)
$$;

-- The payment intent that Stripe made of an attempt: paid, or whatever the changes make it.
create function pg_temp.recharge_intent(p_name text, p_changes jsonb default '{}') returns jsonb
language sql stable
as $$
    select
        pg_temp.intent(p_name)
        || jsonb_build_object(
            'id', 'pi_' || a.id,
            'livemode', false,
            'customer', a.stripe_customer_id,
            'payment_method', a.stripe_payment_method_id,
            'setup_future_usage', null,
            'amount', a.amount_pence,
            'amount_received', a.amount_pence,
            'currency', a.currency,
            'metadata', (select stripe_request -> 'metadata' from wallet.topups where org_id = a.org_id and id = a.id)
        )
        || p_changes
    from pg_temp.attempt(p_name) as a
$$;

create function pg_temp.unpaid_intent(p_name text, p_status text, p_error jsonb default null) returns jsonb
language sql stable
return pg_temp.recharge_intent(
    p_name,
    jsonb_build_object('status', p_status, 'amount_received', 0, 'latest_charge', null, 'last_payment_error', p_error)
);

-- How Stripe answers where the card is declined; the error says the same as its payment intent.
create function pg_temp.decline(
    p_name text, p_decline_code text default 'insufficient_funds', p_changes jsonb default '{}'
) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'error', error || jsonb_build_object(
            'http_status', 402, 'payment_intent', pg_temp.unpaid_intent(p_name, 'requires_payment_method', error)
        )
    )
    from (
        select
            jsonb_build_object(
                'type', 'card_error', 'code', 'card_declined', 'decline_code', p_decline_code,
                'message', 'Your card was declined.'
            )
            || p_changes as error
    ) as declined
$$;

create function pg_temp.authentication_required(p_name text) returns jsonb
language sql stable
return pg_temp.decline(p_name, 'authentication_required', '{"code": "authentication_required"}');

-- Tells what Stripe said about the attempt of a wallet.
create function pg_temp.report(p_name text, p_result jsonb) returns jsonb
language sql
as $$
    select wallet.record_recharge_result(pg_temp.org(p_name), id, p_result) from pg_temp.attempt(p_name)
$$;

-- An attempt from the shortage to Stripe's answer.
create function pg_temp.recharge(p_name text, p_result text default 'paid') returns jsonb
language plpgsql
as $$
begin
    perform pg_temp.claim(p_name);
    return pg_temp.report(
        p_name,
        case p_result
            when 'paid' then jsonb_build_object('payment_intent', pg_temp.recharge_intent(p_name))
            when 'declined' then pg_temp.decline(p_name)
            when 'authentication_required' then pg_temp.authentication_required(p_name)
            when 'lost' then '{"error": {"http_status": null, "type": "api_connection_error"}}'
        end
    );
end;
$$;

create function pg_temp.obstacle(p_name text) returns text
language sql stable
return coalesce(wallet.find_recharge_obstacle(pg_temp.org(p_name)), 'none');
