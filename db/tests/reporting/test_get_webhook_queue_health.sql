begin;
select plan(25);
\ir ../support.sql

-- Status and reasons, as "<status>: <reason>, …".
create function pg_temp.verdict() returns text
language sql stable
as $$
    select concat_ws(
        ': ',
        h ->> 'status',
        nullif((select string_agg(reason, ', ' order by reason) from jsonb_array_elements_text(h -> 'reasons') as reason), '')
    )
    from wallet.get_webhook_queue_health() as h
$$;

create function pg_temp.receive(
    p_status text, p_ago interval default '0', p_processed_ago interval default null, p_count integer default 1
) returns void
language sql
as $$
    insert into wallet.processed_stripe_webhooks (
        event_id, event_type, status, error_code, error_message, event_data, received_at, processed_at,
        resolved_by, resolution
    )
    select
        'evt_' || gen_random_uuid(), 'refund.created', p_status, 'x', 'x', '{}', now() - p_ago, now() - p_processed_ago,
        case p_status when 'resolved' then 'ann' end, case p_status when 'resolved' then 'By hand' end
    from generate_series(1, p_count)
$$;

select is(pg_temp.verdict(), 'critical: no_worker_alive', 'without a worker nobody would be told');
do $$ begin perform wallet.note_worker('ann', '1.0'); end $$;
select is(pg_temp.verdict(), 'healthy', 'with one, and nothing that waits, all is well');
select is(
    wallet.get_webhook_queue_health(),
    '{
        "success": true, "status": "healthy", "reasons": [], "events_failed": 0, "events_pending": 0,
        "oldest_failed_at": null, "oldest_failed_seconds": null, "received_last_hour": 0, "processed_last_hour": 0,
        "failed_last_hour": 0, "success_rate_percent": null, "last_received_at": null, "last_processed_at": null,
        "messages_pending": 0, "messages_due": 0, "messages_dead": 0, "oldest_pending_seconds": null,
        "workers_alive": 1
    }',
    'where nothing was received there is no rate of success'
);

-- Events.
do $$
begin
    perform pg_temp.receive('processed', '10 minutes', '10 minutes', 5);
    perform pg_temp.receive('ignored', '20 minutes', '20 minutes');
    perform pg_temp.receive('pending', '30 minutes', '30 minutes');
    perform pg_temp.receive('resolved', '5 hours', '5 minutes');
    perform pg_temp.receive('processed', '5 hours', '5 hours', 2);
    perform pg_temp.receive('processed', '2 days', '2 days', 100);
end $$;
select is(pg_temp.verdict(), 'healthy', 'events that are done, or wait for another, need nobody');
select pg_temp.answers(
    wallet.get_webhook_queue_health(),
    jsonb_build_object(
        'events_failed', 0, 'events_pending', 1, 'received_last_hour', 7, 'processed_last_hour', 7,
        'failed_last_hour', 0, 'success_rate_percent', 100, 'last_received_at', now() - interval '10 minutes',
        'last_processed_at', now() - interval '5 minutes'
    ),
    'what was received, and what was done with it'
);
select is(
    wallet.get_webhook_queue_health() ->> 'success_rate_percent', '100', 'a rate has no more digits than it needs'
);
do $$ begin perform pg_temp.receive('failed', '59 minutes 59 seconds'); end $$;
select is(pg_temp.verdict(), 'degraded: events_failed', 'an event that failed waits for redelivery');
select pg_temp.answers(
    wallet.get_webhook_queue_health(),
    jsonb_build_object(
        'events_failed', 1, 'received_last_hour', 8, 'processed_last_hour', 7, 'failed_last_hour', 1,
        'success_rate_percent', 90.91, 'oldest_failed_at', now() - interval '59 minutes 59 seconds',
        'oldest_failed_seconds', 3599
    ),
    'and is counted'
);
do $$ begin perform pg_temp.receive('failed', '1 hour'); end $$;
select is(
    pg_temp.verdict(), 'critical: events_failed, events_failed_for_an_hour', 'after an hour a person has to look'
);
select pg_temp.answers(
    wallet.get_webhook_queue_health(),
    jsonb_build_object(
        'events_failed', 2, 'failed_last_hour', 1, 'success_rate_percent', 83.33,
        'oldest_failed_at', now() - interval '1 hour', 'oldest_failed_seconds', 3600
    ),
    'the oldest one says since when'
);
delete from wallet.processed_stripe_webhooks
where status = 'failed';
do $$ begin perform pg_temp.receive('failed', '1 minute', null, 9); end $$;
select is(pg_temp.verdict(), 'degraded: events_failed', 'nine that failed may be redelivered');
do $$ begin perform pg_temp.receive('failed', '1 minute'); end $$;
select is(pg_temp.verdict(), 'critical: events_failed, many_events_failed', 'ten are no accident');
update wallet.processed_stripe_webhooks set status = 'processed', processed_at = now()
where status = 'failed';
select is(pg_temp.verdict(), 'healthy', 'what was applied after all is well');
select pg_temp.answers(
    wallet.get_webhook_queue_health(),
    jsonb_build_object('success_rate_percent', 100, 'processed_last_hour', 17, 'last_processed_at', now()),
    'and counts as processed'
);
do $$ begin perform pg_temp.receive('failed', '25 hours'); end $$;
select pg_temp.answers(
    wallet.get_webhook_queue_health(),
    '{"events_failed": 1, "failed_last_hour": 0, "success_rate_percent": 100, "oldest_failed_seconds": 90000}',
    'the rate is of those that were received in the last 24 hours'
);
delete from wallet.processed_stripe_webhooks
where status = 'failed';

-- Messages.
insert into wallet.outbox_messages (topic, payload, created_at)
values ('low_balance', '{}', now() - interval '599 seconds');
select is(pg_temp.verdict(), 'healthy', 'a message may be tried again for ten minutes');
insert into wallet.outbox_messages (topic, payload, created_at)
values ('low_balance', '{}', now() - interval '600 seconds');
select is(pg_temp.verdict(), 'degraded: messages_delayed', 'after that its receiver is down');
select pg_temp.answers(
    wallet.get_webhook_queue_health(),
    '{"messages_pending": 2, "messages_due": 2, "messages_dead": 0, "oldest_pending_seconds": 600}',
    'with the numbers'
);
update wallet.outbox_messages set status = 'dead', last_error = 'x'
where created_at = now() - interval '600 seconds';
select is(pg_temp.verdict(), 'degraded: messages_dead', 'a message that was given up has reached nobody');
update wallet.outbox_messages set status = 'delivered', delivered_at = now();
select is(pg_temp.verdict(), 'healthy', 'one that was delivered needs nobody');
update wallet.workers set seen_at = now() - interval '1 minute';
select is(pg_temp.verdict(), 'critical: no_worker_alive', 'a worker that went silent is none');

select is(
    (select provolatile::text from pg_proc where oid = 'wallet.get_webhook_queue_health()'::regprocedure), 's',
    'a read-only standby can answer it'
);
select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.get_webhook_queue_health()', 'execute')
    ),
    array['service_role', 'wallet_webhook'],
    'the HTTP service and a backend may call it'
);
select is(
    pg_temp.outcome('wallet_webhook', '', 'select wallet.get_webhook_queue_health() ->> ''status'''), 'critical',
    'and the HTTP service gets its answer, though it may read no table'
);
select is(
    pg_temp.outcome('authenticated', '', 'select wallet.get_webhook_queue_health()'), '42501', 'a tenant gets none'
);

select * from finish();
rollback;
