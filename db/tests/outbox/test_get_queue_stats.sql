begin;
select plan(17);
\ir ../support.sql
\ir messages.sql

select is(
    wallet.get_queue_stats(),
    jsonb_build_object(
        'success', true, 'messages_pending', 0, 'messages_due', 0, 'messages_dead', 0, 'oldest_pending_seconds', null,
        'workers_alive', 0, 'events_failed', 0, 'oldest_failed_seconds', null, 'events_pending', 0,
        'recharges', wallet.count_recharges(), 'calls_unbilled', 0, 'oldest_unbilled_seconds', null,
        'reservations_lapsed', 0, 'reconciliations_due', 0, 'reconciliations_overdue', 0, 'wallets_frozen', 0,
        'last_consistency_check', null
    ),
    'at first nothing waits'
);

do $$
begin
    perform pg_temp.emit(message) from unnest(array['due', 'claimed', 'dead', 'delivered']) as message;
    update wallet.outbox_messages
    set created_at = now() - interval '90 seconds', next_try_at = now() + interval '10 seconds'
    where payload ->> 'message' = 'claimed';
    update wallet.outbox_messages
    set status = 'dead', last_error = 'x', created_at = now() - interval '1 day'
    where payload ->> 'message' = 'dead';
    perform pg_temp.record('delivered', 'ann', array['log']);
    insert into wallet.workers (worker, version, seen_at) values
    ('ann', '1.0', now()), ('bob', '1.0', now() - interval '59 seconds'), ('carl', '1.0', now() - interval '1 minute');
end $$;
select pg_temp.answers(
    wallet.get_queue_stats(),
    '{
        "messages_pending": 2, "messages_due": 1, "messages_dead": 1, "oldest_pending_seconds": 90, "workers_alive": 2
    }',
    'messages that wait are counted, those that are due, those that are dead, and who works'
);
do $$
begin
    perform pg_temp.record(message, 'ann', array['log']) from unnest(array['due', 'claimed']) as message;
end $$;
select pg_temp.answers(
    wallet.get_queue_stats(), '{"messages_pending": 0, "messages_due": 0, "oldest_pending_seconds": null}',
    'what arrived waits no more'
);

-- Events.
insert into wallet.processed_stripe_webhooks (
    event_id, event_type, status, error_code, error_message, event_data, received_at
)
select
    'evt_' || n, 'refund.created', status, 'x', 'x', '{}', now() - n * interval '1 minute'
from
    unnest(
        array['failed', 'failed', 'pending', 'processed', 'processed', 'ignored', 'ignored']
    ) with ordinality as e (status, n);
select pg_temp.answers(
    wallet.get_queue_stats(), '{"events_failed": 2, "oldest_failed_seconds": 120, "events_pending": 1}',
    'events that failed or wait for another are counted, and no others'
);

-- Calls.
insert into wallet.unbilled_calls (vapi_call_id, report, told_by, error_code, error_message, received_at, billed_at)
values
('call 1', '{}', 'webhook', 'x', 'x', now() - interval '5 minutes', null),
('call 2', '{}', 'webhook', 'x', 'x', now() - interval '2 minutes', null),
('call 3', '{}', 'webhook', 'x', 'x', now() - interval '9 minutes', now());
select pg_temp.answers(
    wallet.get_queue_stats(), '{"calls_unbilled": 2, "oldest_unbilled_seconds": 300}',
    'calls that could not be billed are counted, until they are'
);

-- Reservations.
do $$
begin
    perform pg_temp.hold(pg_temp.open_wallet('acme', 1000), pence) from unnest(array[100, 200, 300]) as pence;
end $$;
update wallet.credit_reservations set expires_at = now() - interval '1 second'
where reserved_pence = 200;
update wallet.credit_reservations
set expires_at = now() - interval '1 second', status = 'released', closed_at = now()
where reserved_pence = 300;
select pg_temp.answers(
    wallet.get_queue_stats(), '{"reservations_lapsed": 1}', 'a hold past its time is counted, until it is ended'
);

-- Reconciliations, with the hour of the plan at 03:00.
create function pg_temp.window(p_since_end interval, p_status text default 'due', p_next_try interval default '0')
returns void
language sql
as $$
    insert into wallet.call_reconciliations (from_at, to_at, status, requested_by, report, next_try_at)
    values (
        now() - p_since_end - interval '1 day', now() - p_since_end, p_status, 'ann',
        case p_status when 'done' then '{}'::jsonb end, now() + p_next_try
    )
$$;
do $$ begin perform pg_temp.window('8 hours 59 minutes'); end $$;
select pg_temp.answers(
    wallet.get_queue_stats(), '{"reconciliations_due": 1, "reconciliations_overdue": 0}',
    'a window that a worker may take is due'
);
do $$ begin perform pg_temp.window('1 day', p_next_try => '1 minute'); end $$;
select pg_temp.answers(
    wallet.get_queue_stats(), '{"reconciliations_due": 1, "reconciliations_overdue": 1}',
    'one that a worker has, or that has to be tried again later, is not; it is overdue six hours after its hour'
);
do $$ begin perform pg_temp.window('9 hours', p_next_try => '1 minute'), pg_temp.window('2 days', 'done'); end $$;
select pg_temp.answers(
    wallet.get_queue_stats(), '{"reconciliations_due": 1, "reconciliations_overdue": 2}', 'and what is done is neither'
);
do $$
begin
    perform wallet.configure_calls('ann', p_reconcile_at => '05:00');
end $$;
select pg_temp.answers(
    wallet.get_queue_stats(), '{"reconciliations_due": 1, "reconciliations_overdue": 1}', 'the hour is as configured'
);

-- Freezes.
do $$
begin
    perform wallet.freeze_wallet(pg_temp.org('acme'), 'Under review', 'ann');
end $$;
insert into wallet.wallet_freezes (org_id, cause, stripe_id, reason, frozen_by)
values (pg_temp.org('acme'), 'dispute', 'dp_1', 'Disputed', 'stripe');
select pg_temp.answers(wallet.get_queue_stats(), '{"wallets_frozen": 1}', 'a wallet that is frozen twice is one');
update wallet.wallet_freezes set lifted_at = now(), lifted_by = 'ann', lifted_because = 'Cleared';
select pg_temp.answers(wallet.get_queue_stats(), '{"wallets_frozen": 0}', 'and none once its freezes are lifted');

-- Checks of the books.
insert into wallet.consistency_checks (started_at, finished_at, worker, wallets, problems, first_problems) values
(now() - interval '2 days', now() - interval '2 days', 'ann', 3, 1, '[{}]'),
(now() - interval '1 day', now() - interval '1 day' + interval '1.5 seconds', 'bob', 4, 0, '[]');
select is(
    wallet.get_queue_stats() -> 'last_consistency_check',
    jsonb_build_object(
        'finished_at', now() - interval '1 day' + interval '1.5 seconds', 'seconds', 1.5, 'wallets', 4, 'problems', 0
    ),
    'the last check of the books is told'
);

select is(
    (select provolatile::text from pg_proc where oid = 'wallet.get_queue_stats()'::regprocedure), 's',
    'a read-only standby can answer it'
);
select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.get_queue_stats()', 'execute')
    ),
    array['service_role', 'wallet_webhook'],
    'the HTTP service and a backend may call it'
);
select is(
    pg_temp.outcome('wallet_webhook', '', 'select wallet.get_queue_stats() ->> ''success'''), 'true',
    'and the HTTP service gets its answer, though it may read no table'
);
select is(pg_temp.outcome('authenticated', '', 'select wallet.get_queue_stats()'), '42501', 'a tenant gets none');

select * from finish();
rollback;
