begin;
select plan(21);
\ir ../support.sql
\ir reports.sql
\ir runs.sql

create function pg_temp.request(p_days_ago integer, p_actor text default 'ann') returns jsonb
language sql
as $$ select wallet.request_call_reconciliation((pg_temp.day(p_days_ago) at time zone 'UTC')::date, p_actor) $$;

set local timezone = 'Pacific/Auckland';
select is(
    pg_temp.request(2),
    jsonb_build_object(
        'success', true, 'from', pg_temp.day(2), 'to', pg_temp.day(1), 'status', 'due', 'already_due', false
    ),
    'a day, UTC, is made due'
);
select pg_temp.answers(
    pg_temp.run(2), '{"status": "due", "requested_by": "ann", "claimed_by": null}', 'by whom it was'
);
select pg_temp.answers(
    pg_temp.request(2, 'bob'), '{"success": true, "already_due": true}', 'asked for twice, it is due once'
);
select is(
    pg_temp.claimed(wallet.claim_call_reconciliation('worker', 60)), 2, 'a worker gets it'
);

-- Under way.
create temporary table under_way as select pg_temp.run(2) as run;
select pg_temp.answers(pg_temp.request(2, 'cid'), '{"success": true, "already_due": true}', 'it is under way');
select is(pg_temp.run(2), run, 'and is left alone') from under_way;

-- After a failure it need not wait.
do $$
begin
    perform pg_temp.save('worker', 2, '[]', '12 hours');
    perform pg_temp.fail('worker', 2);
    perform pg_temp.request(2);
end $$;
select ok(pg_temp.pause(2) <= 0, 'a pause is cut short');
select is(
    (pg_temp.run(2) ->> 'listed_back_to')::timestamptz, pg_temp.day(2) + interval '12 hours',
    'what is listed stays listed'
);

-- Done.
do $$
begin
    perform pg_temp.claim('worker', 2);
    perform pg_temp.save('worker', 2, '[]');
    perform pg_temp.finish('worker', 2);
end $$;
select pg_temp.answers(
    pg_temp.request(2, 'dan'), '{"success": true, "status": "due", "already_due": false}',
    'a day that is done may be done again'
);
select pg_temp.answers(
    pg_temp.run(2), '{"status": "due", "requested_by": "dan", "listed_back_to": null, "attempts": 0}', 'from its end'
);

-- A worker that died has it no longer.
do $$
begin
    perform pg_temp.claim('worker', 2);
    perform pg_temp.let_time_pass();
    perform pg_temp.request(2, 'eve');
end $$;
select pg_temp.answers(pg_temp.run(2), '{"requested_by": "eve"}', 'one whose lease is over can be asked for');

select pg_temp.answers(pg_temp.request(0), '{"success": true, "already_due": false}', 'today may be asked for');
select is(
    (wallet.request_call_reconciliation('2024-02-29', 'ann') ->> 'to')::timestamptz, '2024-03-01 00:00+00'::timestamptz,
    'and any day of the past'
);

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.request_call_reconciliation(%s)', arguments), sqlstate, field,
    format('%s is misuse', arguments)
)
from (
    values
    ('(now() at time zone ''UTC'')::date + 1, ''ann''', 'WL006', 'p_date'),
    ('''infinity'', ''ann''', 'WL006', 'p_date'),
    ('''-infinity'', ''ann''', 'WL006', 'p_date'),
    ('''2026-03-02'', null', 'WL001', 'p_actor'),
    ('''2026-03-02'', '' ''', 'WL005', 'p_actor')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'neither writes anything') from before_misuse;
select is(
    (wallet.request_call_reconciliation(null, 'ann') ->> 'from')::timestamptz,
    ((now() at time zone 'UTC')::date - 1)::timestamp at time zone 'UTC',
    'without a day it is yesterday'
);
select is(
    pg_temp.callers('wallet.request_call_reconciliation(date, text)'), array['service_role', 'wallet_webhook'],
    'the HTTP service may call it, and a backend'
);

select * from finish();
rollback;
