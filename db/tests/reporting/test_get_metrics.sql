begin;
select plan(14);
\ir ../support.sql
\ir ../stripe/events.sql

select is(
    wallet.get_metrics() - array(select jsonb_object_keys(wallet.get_queue_stats())),
    '{
        "calls_last_hour": {"billed": 0, "owing": 0, "unbilled": 0}, "billing_success_percent": null,
        "reliability_percent": null
    }',
    'without a call there is no share of them'
);
select ok(wallet.get_metrics() @> wallet.get_queue_stats(), 'what the queues hold is told, too');

-- A call of so long ago, which owes so much.
create function pg_temp.take_place(p_ago interval, p_owed_pence bigint default 0) returns void
language sql
as $$
    insert into wallet.calls (
        org_id, call_id, source, placed_at, duration_seconds, cost_pence, charged_pence, owed_pence, cost_breakdown
    )
    values (
        pg_temp.org('acme'), gen_random_uuid(), 'webhook', now() - p_ago, 60, p_owed_pence, 0, p_owed_pence, '{}'
    )
$$;
do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform pg_temp.take_place('1 minute') from generate_series(1, 5);
    perform pg_temp.take_place('59 minutes', 70);
    perform pg_temp.take_place('1 hour');
    perform pg_temp.take_place('2 hours', 70);
end $$;
insert into wallet.unbilled_calls (vapi_call_id, report, told_by, error_code, error_message, received_at, billed_at)
values
('this hour', '{}', 'webhook', 'x', 'x', now() - interval '59 minutes', null),
('this hour, billed', '{}', 'webhook', 'x', 'x', now() - interval '59 minutes', now()),
('before', '{}', 'webhook', 'x', 'x', now() - interval '1 hour', null);
select pg_temp.answers(
    wallet.get_metrics(),
    '{
        "calls_last_hour": {"billed": 5, "owing": 1, "unbilled": 1}, "billing_success_percent": 71.43,
        "calls_unbilled": 2
    }',
    'calls of the last hour are charged in full, still owe, or could not be billed'
);

-- Reliability.
create function pg_temp.compare(p_days_ago integer, p_percent numeric, p_status text default 'done') returns void
language sql
as $$
    insert into wallet.call_reconciliations (from_at, to_at, status, requested_by, report)
    values (
        now() - make_interval(days => p_days_ago + 1), now() - make_interval(days => p_days_ago), p_status, 'ann',
        jsonb_build_object('reliability_percent', p_percent)
    )
$$;
do $$ begin perform pg_temp.compare(7, 50); end $$;
select is(wallet.get_metrics() -> 'reliability_percent', 'null', 'what was compared a week ago tells nothing of today');
do $$ begin perform pg_temp.compare(6, 60); end $$;
select is(wallet.get_metrics() -> 'reliability_percent', '60', 'the last day that was compared does');
do $$ begin perform pg_temp.compare(3, 97.5), pg_temp.compare(4, 80); end $$;
select is(wallet.get_metrics() -> 'reliability_percent', '97.5', 'the last one, whenever it was');
do $$ begin perform pg_temp.compare(2, null), pg_temp.compare(1, 10, 'due'); end $$;
select is(wallet.get_metrics() -> 'reliability_percent', '97.5', 'of those that had a call, and are done');

-- Whoever reaches the service may read it.
do $$
begin
    perform wallet.create_wallet(pg_temp.org('secret'), 'Mr. Secretive', 'secretive@example.com');
    perform wallet.add_wallet_credits(pg_temp.org('secret'), 4242424242, 'topup', p_idempotency_key => 'pi_secretive');
    perform wallet.freeze_wallet(pg_temp.org('secret'), 'pi_secretive', 'secretive');
    perform wallet.note_worker('worker secretive', '1.0');
    perform pg_temp.deliver('evt_secretive', 'checkout.session.completed', pg_temp.session('nobody'));
    update wallet.organizations set wallet_balance_pence = 4242424243 where id = pg_temp.org('secret');
    perform wallet.check_books('worker secretive');
end $$;
select pg_temp.answers(
    wallet.get_metrics(), '{"wallets_frozen": 1, "workers_alive": 1, "events_failed": 1}', 'something secret is counted'
);
select is(wallet.get_metrics() #>> '{last_consistency_check,problems}', '3', 'and checked');
select unalike(lower(wallet.get_metrics()::text), '%secret%', 'there is no name in it');
select unalike(wallet.get_metrics()::text, '%42424242%', 'no amount');
select unalike(wallet.get_metrics()::text, '%' || pg_temp.org('secret') || '%', 'and no id');

select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.get_metrics()', 'execute')
    ),
    array['service_role', 'wallet_webhook'],
    'the HTTP service and a backend may call it'
);
select is(
    pg_temp.outcome('wallet_webhook', '', 'select wallet.get_metrics() ->> ''success'''), 'true',
    'and the HTTP service gets its answer, though it may read no table'
);

select * from finish();
rollback;
