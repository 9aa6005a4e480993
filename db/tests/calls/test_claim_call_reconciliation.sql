begin;
select plan(32);
\ir ../support.sql
\ir reports.sql
\ir runs.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 10000);
    perform wallet.configure_calls('ann', p_reconcile_at => '00:00');
    perform wallet.record_call(pg_temp.call_of('old', 2));
end $$;

-- The schedule.
create temporary table claim as select wallet.claim_call_reconciliation('ann', 60) as answer;
select is(
    answer #- '{reconciliation,lease_until}',
    jsonb_build_object(
        'success', true,
        'reconciliation', jsonb_build_object('from', pg_temp.day(2), 'to', pg_temp.day(1), 'listed_back_to', null)
    ),
    'the oldest day comes first'
)
from claim;
select is(
    round(extract(epoch from (answer #>> '{reconciliation,lease_until}')::timestamptz - clock_timestamp())),
    60::numeric,
    'for a minute'
)
from claim;
select pg_temp.answers(pg_temp.run(2), '{"claimed_by": "ann", "status": "due", "attempts": 1}', 'which is noted');
select is(pg_temp.claimed(wallet.claim_call_reconciliation('bob', 60)), 1, 'another worker gets another day');
select is(
    wallet.claim_call_reconciliation('cid', 60), '{"success": true, "reconciliation": null}', 'a third gets nothing'
);

-- A worker that died.
do $$
begin
    perform pg_temp.save('ann', 2, jsonb_build_array(pg_temp.call_of('old', 2)), '11 hours');
    perform pg_temp.let_time_pass();
end $$;
select pg_temp.answers(
    wallet.claim_call_reconciliation('cid', 60) -> 'reconciliation',
    jsonb_build_object('from', pg_temp.day(2), 'listed_back_to', pg_temp.day(2) + interval '11 hours'),
    'when its lease is over, another goes on where it was'
);
select pg_temp.answers(pg_temp.run(2), '{"claimed_by": "cid", "attempts": 2}', 'which is noted');

-- A window by name.
select pg_temp.answers(
    pg_temp.claim('dan', 2),
    jsonb_build_object(
        'success', false, 'error', 'reconciliation_running', 'from', pg_temp.day(2), 'to', pg_temp.day(1),
        'claimed_by', 'cid', 'lease_until', pg_temp.run(2) -> 'next_try_at'
    ),
    'one that another has is refused'
);
select is(pg_temp.claimed(pg_temp.claim('cid', 2)), 2, 'but not to the one that has it');
do $$ begin perform pg_temp.let_time_pass(); end $$;
select is(pg_temp.claimed(pg_temp.claim('dan', 2)), 2, 'nor when its lease is over');
select is(pg_temp.claimed(pg_temp.claim('dan', 40)), 40, 'any window may be asked for');
select pg_temp.answers(
    pg_temp.run(40), '{"requested_by": "dan", "claimed_by": "dan", "status": "due"}', 'it is kept like the others'
);
do $$ begin perform pg_temp.fail('dan', 40); end $$;
select is(pg_temp.claimed(pg_temp.claim('eve', 40)), 40, 'without waiting for a pause to end');

-- One that is done.
do $$
begin
    perform pg_temp.save('eve', 40, jsonb_build_array(pg_temp.call_of('older', 40)));
    perform pg_temp.finish('eve', 40);
end $$;
select is(pg_temp.run(40) ->> 'status', 'done', 'a window is done');
select pg_temp.answers(
    pg_temp.claim('eve', 40) -> 'reconciliation', '{"listed_back_to": null}',
    'asked for, it is listed again from its end'
);
select pg_temp.answers(pg_temp.run(40), '{"status": "due", "attempts": 1}', 'as if for the first time');
select is(pg_temp.run(40) #> '{report,run}', '1', 'its last report stays until the next');

-- Today, and a part of a day.
select is(pg_temp.claimed(pg_temp.claim('eve', 0)), 0, 'today may be asked for');
select pg_temp.answers(
    wallet.claim_call_reconciliation('eve', 1, '2026-03-02 10:00+00', '2026-03-02 11:00+00') -> 'reconciliation',
    '{"from": "2026-03-02T10:00:00+00:00", "to": "2026-03-02T11:00:00+00:00"}', 'and an hour'
);

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.claim_call_reconciliation(%s)', arguments), sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, 60', 'WL001', 'p_worker'),
    (''' '', 60', 'WL005', 'p_worker'),
    ('''ann'', null', 'WL001', 'p_lease_seconds'),
    ('''ann'', 0', 'WL006', 'p_lease_seconds'),
    ('''ann'', 3601', 'WL006', 'p_lease_seconds'),
    ('''ann'', 60, now()', 'WL001', 'p_to'),
    ('''ann'', 60, null, now()', 'WL001', 'p_from'),
    ('''ann'', 60, now(), now()', 'WL006', 'p_to'),
    ('''ann'', 60, ''-infinity'', now()', 'WL006', 'p_to'),
    ('''ann'', 60, ''2026-03-02'', ''infinity''', 'WL006', 'p_to'),
    ('''ann'', 60, clock_timestamp() + interval ''1 s'', ''9999-01-01''', 'WL006', 'p_from')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'neither writes anything') from before_misuse;
select is(
    pg_temp.callers('wallet.claim_call_reconciliation(text, integer, timestamptz, timestamptz)'),
    array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);

select * from finish();
rollback;
