begin;
select plan(21);
\ir ../support.sql
\ir ../stripe/events.sql

-- Of each event that is listed, this key.
create function pg_temp.listed(p_key text, p_limit integer default 100) returns text
language sql stable
as $$
    select string_agg(coalesce(failure ->> p_key, '-'), ' ' order by place)
    from jsonb_array_elements(wallet.list_failed_events(p_limit) -> 'failures') with ordinality as f (failure, place)
$$;

select is(wallet.list_failed_events(), '{"success": true, "failures": [], "total": 0}', 'at first none has failed');

do $$
begin
    perform pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('nobody', '{"amount_total": 6000}'));
    perform pg_temp.deliver(
        'evt_2', 'payment_intent.succeeded', pg_temp.intent('nobody', '{"id": "pi_2", "currency": "eur"}')
    );
    perform pg_temp.deliver('evt_3', 'customer.created', '{"id": "cus_1"}');
    perform pg_temp.pay('acme');
    update wallet.processed_stripe_webhooks set received_at = now() - interval '2 hours' where event_id = 'evt_1';
    update wallet.processed_stripe_webhooks set received_at = now() - interval '1 hour' where event_id = 'evt_2';
end $$;
-- One that names its payment by the whole of it, and some whose object isn't as Stripe's are.
insert into wallet.processed_stripe_webhooks (
    event_id, event_type, status, attempts, error_code, error_message, event_data
)
values
(
    'evt_4', 'charge.refunded', 'failed', 3, 'unexpected_error', 'No wonder.',
    '{"data": {"object": {"object": "charge", "id": "ch_1", "payment_intent": {"id": "pi_4"}, "amount": 700,
    "currency": "usd", "billing_details": {"email": "private@example.com"}}}}'
),
(
    'evt_5', 'odd', 'failed', 1, 'x', 'y',
    '{"data": {"object": {"amount": "12", "amount_total": {"a": 1}, "private": true}}}'
),
('evt_6', 'odder', 'failed', 1, 'x', 'y', '{"data": {"object": null}}');

select is(
    pg_temp.listed('event_id'), 'evt_4 evt_5 evt_6 evt_2 evt_1',
    'what failed is listed, the newest first, and nothing else'
);
select is(pg_temp.listed('event_id', 2), 'evt_4 evt_5', 'as many as are asked for');
select is(wallet.list_failed_events(2) -> 'total', '5', 'with the number of all');
select is(
    wallet.list_failed_events() -> 'failures' -> 4,
    jsonb_build_object(
        'event_id', 'evt_1', 'event_type', 'checkout.session.completed', 'org_id', pg_temp.org('nobody'),
        'error_code', 'organization_not_found',
        'error_message', format('There is no wallet for organization %s.', pg_temp.org('nobody')),
        'attempts', 1, 'received_at', now() - interval '2 hours', 'payment_intent', 'pi_1', 'amount', 6000,
        'currency', 'gbp'
    ),
    'each with what an operator wants to know'
);
select is(pg_temp.listed('payment_intent'), 'pi_4 - - pi_2 pi_1', 'its payment intent, wherever its type has it');
select is(pg_temp.listed('amount'), '700 - - 5000 6000', 'its amount, if it is a number');
select is(pg_temp.listed('currency'), 'usd - - eur gbp', 'its currency');
select is(pg_temp.listed('attempts'), '3 1 1 1 1', 'how often it was tried');
select is(
    pg_temp.listed('error_code'), 'unexpected_error x x organization_not_found organization_not_found',
    'and why it failed'
);
select unalike(wallet.list_failed_events()::text, '%private%', 'what else the event tells stays where it is');

do $$
begin
    perform pg_temp.open_wallet('nobody');
    perform wallet.replay_stripe_event('evt_1');
end $$;
select is(pg_temp.listed('event_id'), 'evt_4 evt_5 evt_6 evt_2', 'what was applied after all is listed no more');

insert into wallet.processed_stripe_webhooks (event_id, event_type, status, error_code, error_message, event_data)
select 'evt_many_' || n, 'odd', 'failed', 'x', 'y', '{"data": {"object": {}}}' from generate_series(1, 100) as n;
select is(jsonb_array_length(wallet.list_failed_events() -> 'failures'), 20, 'twenty, unless asked for more');
select is(jsonb_array_length(wallet.list_failed_events(100) -> 'failures'), 100, 'up to a hundred');
select is(wallet.list_failed_events(1) -> 'total', '104', 'of however many');

select pg_temp.raises('select wallet.list_failed_events(null)', 'WL001', 'p_limit', 'a number is required');
select pg_temp.raises('select wallet.list_failed_events(0)', 'WL006', 'p_limit', 'of one at least');
select pg_temp.raises('select wallet.list_failed_events(101)', 'WL006', 'p_limit', 'and a hundred at most');

select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.list_failed_events(integer)', 'execute')
    ),
    array['service_role', 'wallet_webhook'],
    'the HTTP service and a backend may call it'
);
select is(
    pg_temp.outcome('wallet_webhook', '', 'select wallet.list_failed_events(1) ->> ''total'''), '104',
    'and the HTTP service gets its answer, though it may read no table'
);
select is(pg_temp.outcome('authenticated', '', 'select wallet.list_failed_events(1)'), '42501', 'a tenant gets none');

select * from finish();
rollback;
