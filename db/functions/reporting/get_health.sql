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
        'events_failed', count(*),
        'oldest_failed_at', min(received_at)
    )
    || (wallet.get_queue_stats() - 'success')
    || jsonb_build_object(
        'recharges_unresolved', (
            select count(*)
            from wallet.recharge_attempts
            where closed_at is null and state = 'unresolved'
        ),
        'calls_unbilled', (
            select count(*)
            from wallet.unbilled_calls
            where billed_at is null
        )
    )
    from wallet.processed_stripe_webhooks
    where status = 'failed'
$$;

revoke all on function wallet.get_health() from public;
grant execute on function wallet.get_health() to wallet_webhook, service_role;

comment on function wallet.get_health() is
'What GET /health shows of the database: its version, whether it is a read-only standby, how many Stripe events wait for redelivery or replay since when, how many messages and recharges wait for whom (see get_queue_stats), how many calls could not be billed, and how many workers are alive.';
