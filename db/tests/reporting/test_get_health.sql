begin;
select plan(5);
\ir ../support.sql
\ir ../stripe/events.sql

select pg_temp.answers(
    wallet.get_health(),
    jsonb_build_object(
        'success', true, 'server_version', current_setting('server_version'), 'read_only', false, 'events_failed', 0,
        'oldest_failed_at', null, 'messages_pending', 0, 'messages_dead', 0, 'recharges_unresolved', 0,
        'calls_unbilled', 0
    ),
    'a healthy database has its version, no failed event, and nothing that waits'
);

do $$
begin
    perform pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme'));
    perform pg_temp.deliver('evt_2', 'payment_intent.succeeded', pg_temp.intent('globex'));
    perform pg_temp.deliver('evt_3', 'customer.created', '{"id": "cus_1"}');
end $$;
select pg_temp.answers(
    wallet.get_health(), '{"success": true, "events_failed": 2, "messages_pending": 2}',
    'failed events are counted, and the messages that tell of them'
);
select is(
    (wallet.get_health() ->> 'oldest_failed_at')::timestamptz,
    (select min(received_at) from wallet.processed_stripe_webhooks where status = 'failed'),
    'with the time since when they wait'
);

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.replay_stripe_event('evt_1');
end $$;
select pg_temp.answers(wallet.get_health(), '{"events_failed": 1}', 'one that was applied after all counts no more');
select pg_temp.books_are_right();

select * from finish();
rollback;
