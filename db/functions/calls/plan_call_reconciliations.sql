create or replace function wallet.plan_call_reconciliations()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_most_runs constant integer := 3;
    v_now constant timestamptz := clock_timestamp();
    v_reconcile_at constant interval := (select reconcile_at from wallet.call_settings)::interval;
    v_newest constant date := ((v_now at time zone 'UTC') - v_reconcile_at)::date - 1;
    v_oldest_call constant date := (select min(placed_at) at time zone 'UTC' from wallet.calls)::date;
begin
    -- Without any call of ours, yesterday is compared all the same: perhaps no webhook ever arrived.
    -- A window that is there is left out, or this would wait for whoever is claiming it.
    insert into wallet.call_reconciliations (from_at, to_at, requested_by)
    select
        day::timestamp at time zone 'UTC',
        (day::timestamp + interval '1 day') at time zone 'UTC',
        'schedule'
    from (
        select v_newest - days_before as day from generate_series(0, 6) as days_before
    ) as days
    where
        day >= least(coalesce(v_oldest_call, v_newest), v_newest)
        and not exists (
            select
            from wallet.call_reconciliations
            where
                from_at = day::timestamp at time zone 'UTC'
                and to_at = (day::timestamp + interval '1 day') at time zone 'UTC'
        )
    order by day
    on conflict (from_at, to_at) do nothing;

    -- A window that was compared before it was over, and one in which calls had not ended.
    update wallet.call_reconciliations
    set status = 'due', next_try_at = v_now
    where
        status = 'done'
        and (
            (finished_at < to_at and to_at + v_reconcile_at <= v_now)
            or (
                (report ->> 'unfinished')::integer > 0
                and (report ->> 'run')::integer < v_most_runs
                and finished_at < v_now - interval '1 day'
            )
        );
end;
$$;

revoke all on function wallet.plan_call_reconciliations() from public;

comment on function wallet.plan_call_reconciliations() is
'Internal: makes due, once it is past call_settings.reconcile_at, each of the last seven whole days, UTC, since the first call, that was never compared; and again a window that was compared before its end, and, a day later and up to three runs in all, one in which calls had not ended.';
