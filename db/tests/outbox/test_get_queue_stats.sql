begin;
select plan(5);
\ir ../support.sql
\ir messages.sql

select is(
    wallet.get_queue_stats(),
    '{
        "success": true, "messages_pending": 0, "messages_due": 0, "messages_dead": 0, "oldest_pending_seconds": null,
        "workers_alive": 0
    }',
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
select is(
    wallet.get_queue_stats(),
    '{
        "success": true, "messages_pending": 2, "messages_due": 1, "messages_dead": 1, "oldest_pending_seconds": 90,
        "workers_alive": 2
    }',
    'what waits is counted, what is due, what is dead, and who works'
);
select is(
    (select provolatile::text from pg_proc where oid = 'wallet.get_queue_stats()'::regprocedure), 's',
    'a read-only standby can answer it'
);

do $$
begin
    perform pg_temp.record(message, 'ann', array['log']) from unnest(array['due', 'claimed']) as message;
end $$;
select pg_temp.answers(
    wallet.get_queue_stats(), '{"messages_pending": 0, "messages_due": 0, "oldest_pending_seconds": null}',
    'what arrived waits no more'
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

select * from finish();
rollback;
