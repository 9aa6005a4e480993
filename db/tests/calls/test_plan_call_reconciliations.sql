begin;
select plan(13);
\ir ../support.sql
\ir reports.sql
\ir runs.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 10000);
    perform wallet.configure_calls('ann', p_reconcile_at => '00:00');
    perform wallet.plan_call_reconciliations();
end $$;
select is(pg_temp.runs(), '1 due', 'yesterday is due, though no call is known: no webhook may ever have come');
do $$
begin
    perform wallet.record_call(pg_temp.call_of('new', 3));
    perform wallet.plan_call_reconciliations();
end $$;
select is(pg_temp.runs(), '3 due, 2 due, 1 due', 'every whole day since the first call is');
select pg_temp.answers(
    pg_temp.run(3), jsonb_build_object('requested_by', 'schedule', 'attempts', 0, 'claimed_by', null, 'report', null),
    'by the schedule'
);
do $$
begin
    perform wallet.record_call(pg_temp.call_of('old', 30));
    perform wallet.plan_call_reconciliations();
    perform wallet.plan_call_reconciliations();
end $$;
select is(
    pg_temp.runs(), '7 due, 6 due, 5 due, 4 due, 3 due, 2 due, 1 due', 'but none of more than a week ago, and each once'
);

-- Before its hour.
do $$
begin
    delete from wallet.call_reconciliations;
    perform wallet.configure_calls('ann', p_reconcile_at => '23:59:59.999');
    perform wallet.plan_call_reconciliations();
end $$;
select is(pg_temp.run(1), null, 'yesterday is not due before its hour');
select is(pg_temp.run(2) ->> 'status', 'due', 'the day before is');

-- Once more.
do $$
begin
    delete from wallet.call_reconciliations;
    perform wallet.configure_calls('ann', p_reconcile_at => '00:00');
    perform wallet.plan_call_reconciliations();
    perform wallet.reconcile_calls(pg_temp.day(n), pg_temp.day(n - 1), '[]') from generate_series(1, 7) as n;
    perform wallet.plan_call_reconciliations();
end $$;
select is(
    pg_temp.runs(), '7 done, 6 done, 5 done, 4 done, 3 done, 2 done, 1 done', 'what is done stays done'
);
do $$
begin
    update wallet.call_reconciliations set finished_at = to_at - interval '1 hour' where from_at = pg_temp.day(2);
    perform wallet.reconcile_calls(
        pg_temp.day(n), pg_temp.day(n - 1),
        jsonb_build_array(pg_temp.call_of('under way', n, '{"status": "in-progress", "endedAt": null}'))
    )
    from generate_series(4, 7) as n;
    update wallet.call_reconciliations set finished_at = now() - interval '25 hours'
    where from_at in (pg_temp.day(5), pg_temp.day(6), pg_temp.day(7));
    update wallet.call_reconciliations set report = report || '{"run": 3}' where from_at = pg_temp.day(6);
    perform wallet.plan_call_reconciliations();
end $$;
select is(pg_temp.run(2) ->> 'status', 'due', 'what was compared before its end is compared again');
select is(pg_temp.run(4) ->> 'status', 'done', 'calls that had not ended are given a day');
select is(pg_temp.run(5) ->> 'status', 'due', 'and looked at again');
select is(pg_temp.run(6) ->> 'status', 'done', 'three times at most');
select is(pg_temp.run(1) ->> 'status', 'done', 'the others are left alone');
do $$
begin
    perform wallet.configure_calls('ann', p_reconcile_at => '23:59:59.999');
    update wallet.call_reconciliations set status = 'done', finished_at = to_at - interval '1 hour'
    where from_at = pg_temp.day(1);
    perform wallet.plan_call_reconciliations();
end $$;
select is(pg_temp.run(1) ->> 'status', 'done', 'a day that was compared early waits for its hour, too');

select * from finish();
rollback;
