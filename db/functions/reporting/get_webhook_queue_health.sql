create or replace function wallet.get_webhook_queue_health()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    with received as (
        select
            count(*) as last_day,
            count(*) filter (where status = 'failed') as failed_last_day,
            count(*) filter (where received_at > now() - interval '1 hour') as last_hour,
            count(*) filter (where status = 'failed' and received_at > now() - interval '1 hour') as failed_last_hour,
            max(processed_at) as last_processed_at
        from wallet.processed_stripe_webhooks
        where received_at > now() - interval '1 day'
    ),

    queue as (
        select
            stats,
            (stats ->> 'events_failed')::bigint as events_failed,
            coalesce((stats ->> 'oldest_failed_seconds')::bigint, 0) as oldest_failed_seconds,
            (stats ->> 'messages_dead')::bigint as messages_dead,
            coalesce((stats ->> 'oldest_pending_seconds')::bigint, 0) as oldest_pending_seconds,
            (stats ->> 'workers_alive')::bigint as workers_alive
        from wallet.get_queue_stats() as stats
    ),

    verdict as (
        select
            case when bool_or(rule.is_critical) then 'critical' when count(*) > 0 then 'degraded' else 'healthy' end
            as status,
            coalesce(jsonb_agg(rule.reason), '[]') as reasons
        from queue as q
        cross join lateral (
            values
            ('events_failed', false, q.events_failed > 0),
            ('events_failed_for_an_hour', true, q.oldest_failed_seconds >= 3600),
            ('many_events_failed', true, q.events_failed >= 10),
            ('messages_dead', false, q.messages_dead > 0),
            ('messages_delayed', false, q.oldest_pending_seconds >= 600),
            ('no_worker_alive', true, q.workers_alive = 0)
        ) as rule (reason, is_critical, holds)
        where rule.holds
    )

    select jsonb_build_object(
        'success', true,
        'status', v.status,
        'reasons', v.reasons,
        'events_failed', q.events_failed,
        'events_pending', q.stats -> 'events_pending',
        'oldest_failed_at', (
            select min(received_at) from wallet.processed_stripe_webhooks
            where status = 'failed'
        ),
        'oldest_failed_seconds', q.stats -> 'oldest_failed_seconds',
        'received_last_hour', r.last_hour,
        'processed_last_hour', r.last_hour - r.failed_last_hour,
        'failed_last_hour', r.failed_last_hour,
        'success_rate_percent', trim_scale(
            round(100.0 * (r.last_day - r.failed_last_day) / nullif(r.last_day, 0), 2)
        ),
        'last_received_at', (select max(received_at) from wallet.processed_stripe_webhooks),
        'last_processed_at', r.last_processed_at,
        'messages_pending', q.stats -> 'messages_pending',
        'messages_due', q.stats -> 'messages_due',
        'messages_dead', q.messages_dead,
        'oldest_pending_seconds', q.stats -> 'oldest_pending_seconds',
        'workers_alive', q.workers_alive
    )
    from queue as q
    cross join received as r
    cross join verdict as v
$$;

revoke all on function wallet.get_webhook_queue_health() from public;
grant execute on function wallet.get_webhook_queue_health() to wallet_webhook, service_role;

comment on function wallet.get_webhook_queue_health() is
'How it stands with Stripe''s events and with what people are told of them. status: critical while an event has been failed for an hour, ten are failed, or no worker is alive; degraded while any is failed, a message is dead, or one waits for ten minutes; else healthy. reasons names which. Of the events received in the last hour, received_last_hour are all, failed_last_hour those that are failed, and processed_last_hour the others; of those received in the last 24 hours, success_rate_percent is the share that is not failed, and last_processed_at when one was last dealt with, null without any.';
