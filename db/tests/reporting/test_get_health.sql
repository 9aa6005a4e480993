begin;
select plan(6);
\ir ../support.sql
\ir ../stripe/events.sql

select is(
    wallet.get_health(),
    jsonb_build_object(
        'success', true, 'server_version', current_setting('server_version'), 'read_only', false, 'events_failed', 0,
        'oldest_failed_at', null, 'messages_pending', 0, 'messages_due', 0, 'messages_dead', 0,
        'oldest_pending_seconds', null, 'workers_alive', 0, 'recharges_unresolved', 0, 'calls_unbilled', 0
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

-- Of each of the others another number.
do $$
begin
    perform wallet.note_worker('worker ' || n, '1.0') from generate_series(1, 3) as n;
    perform wallet.emit_message('low_balance', null, '{}') from generate_series(1, 9);
end $$;
update wallet.outbox_messages set next_try_at = now() + interval '1 minute', created_at = now() - interval '1 minute';
update wallet.outbox_messages set status = 'dead', last_error = 'x'
where id in (select id from wallet.outbox_messages order by id limit 4);
update wallet.outbox_messages set next_try_at = now()
where id in (select id from wallet.outbox_messages where status = 'pending' order by id limit 2);
insert into wallet.unbilled_calls (vapi_call_id, report, told_by, error_code, error_message)
select n::text, '{}', 'webhook', 'x', 'x' from generate_series(1, 5) as n;
insert into wallet.recharge_attempts (
    org_id, id, state, amount_pence, currency, stripe_customer_id, stripe_payment_method_id, balance_pence
)
select pg_temp.open_wallet('recharging ' || n), gen_random_uuid(), 'unresolved', 5000, 'gbp', 'cus_1', 'pm_1', 0
from generate_series(1, 6) as n;
select pg_temp.answers(
    wallet.get_health(),
    jsonb_build_object(
        'messages_pending', (select count(*) from wallet.outbox_messages) - 4, 'messages_due', 2, 'messages_dead', 4,
        'oldest_pending_seconds', 60, 'workers_alive', 3, 'recharges_unresolved', 6, 'calls_unbilled', 5
    ),
    'so is what else waits, and who works'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
