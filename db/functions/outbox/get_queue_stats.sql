create or replace function wallet.get_queue_stats()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'success', true,
        'messages_pending', count(*) filter (where status = 'pending'),
        'messages_due', count(*) filter (where status = 'pending' and next_try_at <= now()),
        'messages_dead', count(*) filter (where status = 'dead'),
        'oldest_pending_seconds',
        floor(extract(epoch from now() - min(created_at) filter (where status = 'pending'))),
        'workers_alive', (select count(*) from wallet.workers where seen_at > now() - interval '60 seconds')
    )
    from wallet.outbox_messages
    where status in ('pending', 'dead')
$$;

revoke all on function wallet.get_queue_stats() from public;
grant execute on function wallet.get_queue_stats() to wallet_webhook, service_role;

comment on function wallet.get_queue_stats() is
'How many messages of the outbox wait, are due now, or are dead, how long the oldest one has waited, and how many workers gave a sign of life within 60 seconds.';
