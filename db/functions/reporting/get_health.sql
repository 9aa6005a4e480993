create or replace function wallet.get_health()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'success', true,
        'server_version', current_setting('server_version'),
        'read_only', pg_is_in_recovery(),
        'events_failed', stats -> 'events_failed',
        'oldest_failed_at', (
            select min(received_at) from wallet.processed_stripe_webhooks
            where status = 'failed'
        ),
        'messages_pending', stats -> 'messages_pending',
        'messages_due', stats -> 'messages_due',
        'messages_dead', stats -> 'messages_dead',
        'oldest_pending_seconds', stats -> 'oldest_pending_seconds',
        'workers_alive', stats -> 'workers_alive',
        'recharges_unresolved', stats #> '{recharges,unresolved}',
        'calls_unbilled', stats -> 'calls_unbilled'
    )
    from wallet.get_queue_stats() as stats
$$;

revoke all on function wallet.get_health() from public;
grant execute on function wallet.get_health() to wallet_webhook, service_role;

comment on function wallet.get_health() is
'What GET /health shows of the database: its version, whether it is a read-only standby, how many Stripe events wait for redelivery or replay since when, how many messages and recharges wait for whom (see get_queue_stats), how many calls could not be billed, and how many workers are alive.';
