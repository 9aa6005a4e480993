-- Each figure is a count of its own, so that each reads a small table or an index of what is open, and none
-- grows with what is over.
create or replace function wallet.get_queue_stats()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'success', true,
        'messages_pending', (select count(*) from wallet.outbox_messages where status = 'pending'),
        'messages_due', (
            select count(*) from wallet.outbox_messages
            where status = 'pending' and next_try_at <= now()
        ),
        'messages_dead', (select count(*) from wallet.outbox_messages where status = 'dead'),
        'oldest_pending_seconds', (
            select floor(extract(epoch from now() - min(created_at))) from wallet.outbox_messages
            where status = 'pending'
        ),
        'workers_alive', (select count(*) from wallet.workers where seen_at > now() - interval '60 seconds'),
        'events_failed', (select count(*) from wallet.processed_stripe_webhooks where status = 'failed'),
        'oldest_failed_seconds', (
            select floor(extract(epoch from now() - min(received_at))) from wallet.processed_stripe_webhooks
            where status = 'failed'
        ),
        'events_pending', (select count(*) from wallet.processed_stripe_webhooks where status = 'pending'),
        'recharges', wallet.count_recharges(),
        'calls_unbilled', (select count(*) from wallet.unbilled_calls where billed_at is null),
        'oldest_unbilled_seconds', (
            select floor(extract(epoch from now() - min(received_at))) from wallet.unbilled_calls
            where billed_at is null
        ),
        'reservations_lapsed', (
            select count(*) from wallet.credit_reservations
            where status = 'open' and expires_at <= now()
        ),
        'reconciliations_due', (
            select count(*) from wallet.call_reconciliations
            where status = 'due' and next_try_at <= now()
        ),
        'reconciliations_overdue', (
            select count(*)
            from wallet.call_reconciliations as r
            cross join wallet.call_settings as s
            where r.status = 'due' and r.to_at + s.reconcile_at + interval '6 hours' <= now()
        ),
        'wallets_frozen', (select count(distinct org_id) from wallet.wallet_freezes where lifted_at is null),
        'last_consistency_check', (
            select jsonb_build_object(
                'finished_at', finished_at,
                'seconds', extract(epoch from finished_at - started_at),
                'wallets', wallets,
                'problems', problems
            )
            from wallet.consistency_checks
            order by started_at desc
            limit 1
        )
    )
$$;

revoke all on function wallet.get_queue_stats() from public;
grant execute on function wallet.get_queue_stats() to wallet_webhook, service_role;

comment on function wallet.get_queue_stats() is
'What waits, and for how long: messages that are pending, due now, or dead; workers that gave a sign of life within 60 seconds; events that failed or wait for another; recharges by their states, those that ended within a day among them; calls that could not be billed; holds past their time; windows that a worker may reconcile, and those that are due for six hours; frozen wallets; and the last check of the books, null before the first.';
