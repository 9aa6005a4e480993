begin;
select plan(17);
\ir ../support.sql
\ir events.sql

create temporary table first as
select pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme')) as answer;
select pg_temp.answers(answer, '{"success": false, "outcome": "failed"}', 'an event fails, its wallet not being there')
from first;
select pg_temp.answers(
    wallet.replay_stripe_event('evt_1'),
    '{"success": false, "outcome": "failed", "error": "organization_not_found", "event_id": "evt_1"}',
    'replayed before the cause is mended it fails again'
);
select is(pg_temp.stored('evt_1'), 'failed 2', 'the attempt is counted');

do $$ begin perform pg_temp.open_wallet('acme', 56900); end $$;
select pg_temp.answers(
    wallet.replay_stripe_event('evt_1'),
    jsonb_build_object(
        'success', true, 'outcome', 'processed', 'duplicate', false, 'event_id', 'evt_1',
        'event_type', 'checkout.session.completed', 'org_id', pg_temp.org('acme'), 'balance_after', 61900
    ),
    'replayed after it, the event is applied'
);
select is(pg_temp.stored('evt_1'), 'processed 3', 'and stored as processed');
select pg_temp.answers(
    wallet.replay_stripe_event('evt_1'), '{"success": true, "outcome": "duplicate"}', 'once more is a duplicate'
);
select pg_temp.answers(
    pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme')),
    '{"success": true, "outcome": "duplicate"}',
    'so is a delivery of Stripe''s'
);
select is(pg_temp.payments('acme'), 'balance 61900, credits 2, top-ups paid', 'one credit came of all that');

do $$
begin
    perform pg_temp.deliver('evt_2', 'customer.created', '{"id": "cus_1"}');
    perform pg_temp.deliver('evt_3', 'refund.created', pg_temp.refund('nobody'));
end $$;
select pg_temp.answers(
    wallet.replay_stripe_event('evt_2'), '{"success": true, "outcome": "ignored"}', 'an ignored event stays ignored'
);
select pg_temp.answers(
    wallet.replay_stripe_event('evt_3'), '{"success": true, "outcome": "pending"}',
    'what waits for its credit goes on waiting'
);

-- An event that the wallet was set up to ignore by mistake.
do $$
begin
    perform wallet.configure_stripe(true, 'ann');
    perform pg_temp.deliver('evt_4', 'payment_intent.succeeded', pg_temp.intent('acme', '{"id": "pi_4"}'));
    perform wallet.configure_stripe(false, 'ann');
end $$;
select is(pg_temp.stored('evt_4'), 'ignored 1', 'a test event is ignored in live mode');
select pg_temp.answers(
    wallet.replay_stripe_event('evt_4'), '{"success": true, "outcome": "processed", "balance_after": 66900}',
    'and can be applied once the mode is right'
);

select pg_temp.answers(
    wallet.replay_stripe_event('evt_unknown'),
    '{"success": false, "error": "event_not_found", "event_id": "evt_unknown"}',
    'an event that never came is refused'
);
select pg_temp.raises('select wallet.replay_stripe_event(null)', 'WL001', 'event_id', 'an id is required');
select pg_temp.raises('select wallet.replay_stripe_event('' '')', 'WL005', 'event_id', 'a blank id is misuse');
select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.replay_stripe_event(text)', 'execute')
    ),
    array['service_role', 'wallet_webhook'],
    'an operator may call it, and the HTTP service, which may process any event'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
