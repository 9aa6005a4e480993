-- Asked for at every scrape. It may be read by whoever reaches GET /metrics, so it has no amount, no name and no id.
create or replace function wallet.get_metrics()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    with billings as (
        select
            count(*) filter (where owed_pence = 0) as billed,
            count(*) filter (where owed_pence > 0) as owing,
            (
                select count(*) from wallet.unbilled_calls
                where billed_at is null and received_at > now() - interval '1 hour'
            ) as unbilled
        from wallet.calls
        where placed_at > now() - interval '1 hour'
    )

    select
        wallet.get_queue_stats()
        || jsonb_build_object(
            'calls_last_hour', jsonb_build_object('billed', billed, 'owing', owing, 'unbilled', unbilled),
            'billing_success_percent', round(100.0 * billed / nullif(billed + owing + unbilled, 0), 2),
            'reliability_percent', (
                select (report ->> 'reliability_percent')::numeric
                from wallet.call_reconciliations
                where
                    status = 'done'
                    and to_at > now() - interval '7 days'
                    and report ->> 'reliability_percent' is not null
                order by from_at desc, to_at desc
                limit 1
            )
        )
    from billings
$$;

revoke all on function wallet.get_metrics() from public;
grant execute on function wallet.get_metrics() to wallet_webhook, service_role;

comment on function wallet.get_metrics() is
'What GET /metrics reads: get_queue_stats, and of the last hour how many calls are charged in full, still owe, or could not be billed, and the share of the first (as in billing_success_rate; null without a call); and the share of calls that were known without reconciliation on the last day that was compared and had any, of the last seven (as in vapi_webhook_reliability; null without one).';
