begin;
select plan(29);
\ir ../support.sql
\ir reports.sql
\ir runs.sql

do $$ begin perform pg_temp.claim('ann', 2); end $$;

create temporary table page as
select
    jsonb_build_array(
        pg_temp.call_of('b', 2), pg_temp.call_of('a', 2, '{"status": "in-progress", "endedAt": null}')
    ) as calls;
create temporary table saved as select pg_temp.save('ann', 2, calls, '12 hours', 600) as answer from page;
select is(
    answer - 'lease_until',
    jsonb_build_object(
        'success', true, 'from', pg_temp.day(2), 'to', pg_temp.day(1), 'calls', 2,
        'listed_back_to', pg_temp.day(2) + interval '12 hours'
    ),
    'a page is kept'
)
from saved;
select is(
    round(extract(epoch from (answer ->> 'lease_until')::timestamptz - clock_timestamp())), 600::numeric,
    'and the lease renewed'
)
from saved;
select is(pg_temp.run(2) -> 'next_try_at', answer -> 'lease_until', 'as is told') from saved;
select is(
    wallet.read_call_report(report), wallet.read_call_report(pg_temp.call_of('b', 2)), 'all that billing needs is kept'
)
from wallet.provider_calls
where vapi_call_id = pg_temp.vapi('b');
select unalike(
    (select string_agg(report::text, ' ') from wallet.provider_calls), '%' || said || '%',
    format('nothing that was said: %s', said)
)
from unnest(array['secret', 'number is 4242', '+44', 'https']) as said;

select pg_temp.answers(
    pg_temp.save('ann', 2, calls, '12 hours'), '{"success": true, "calls": 2}', 'the same page twice is kept once'
)
from page;
select pg_temp.answers(
    pg_temp.save(
        'ann', 2,
        jsonb_build_array(pg_temp.call_of('a', 2), pg_temp.call_of('c', 2), pg_temp.call_of('c', 2)), '9 hours'
    ),
    jsonb_build_object('calls', 3, 'listed_back_to', pg_temp.day(2) + interval '9 hours'),
    'the next one adds to it'
);
select is(
    (select count(*) from wallet.provider_calls where report ->> 'status' = 'ended'), 3::bigint,
    'a call is as the later page has it'
);
select pg_temp.answers(
    pg_temp.save('ann', 2, '[]', '15 hours'),
    jsonb_build_object('listed_back_to', pg_temp.day(2) + interval '9 hours'),
    'what is listed stays listed'
);
select pg_temp.answers(
    pg_temp.save('ann', 2, '[]', '-1 millisecond'), jsonb_build_object('listed_back_to', pg_temp.day(2)),
    'nothing is listed before the window'
);
select pg_temp.answers(
    pg_temp.save('ann', 2, '[7, {"id": " "}, {"id": {}}, [], null]'), '{"success": true, "calls": 8}',
    'what has no id is kept to be reported'
);

-- Not theirs.
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.save('bob', 2, '[]'),
    jsonb_build_object('success', false, 'error', 'reconciliation_lost', 'from', pg_temp.day(2), 'to', pg_temp.day(1)),
    'another worker''s page is refused'
);
select pg_temp.answers(
    pg_temp.save('ann', 3, '[]'), '{"success": false, "error": "reconciliation_lost"}', 'and one of an unknown window'
);
select pg_temp.raises(
    format(
        'select wallet.save_provider_calls(%s)',
        replace(replace(arguments, '$from', quote_literal(pg_temp.day(2))), '$to', quote_literal(pg_temp.day(1)))
    ),
    sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, $from, $to, ''[]'', $from, 60', 'WL001', 'p_worker'),
    (''' '', $from, $to, ''[]'', $from, 60', 'WL005', 'p_worker'),
    ('''ann'', null, $to, ''[]'', $from, 60', 'WL001', 'p_from'),
    ('''ann'', $from, null, ''[]'', $from, 60', 'WL001', 'p_to'),
    ('''ann'', $from, $to, null, $from, 60', 'WL001', 'p_calls'),
    ('''ann'', $from, $to, ''{}'', $from, 60', 'WL006', 'p_calls'),
    ('''ann'', $from, $to, ''[]'', null, 60', 'WL001', 'p_listed_back_to'),
    ('''ann'', $from, $to, ''[]'', ''infinity'', 60', 'WL006', 'p_listed_back_to'),
    ('''ann'', $from, $to, ''[]'', $from, null', 'WL001', 'p_lease_seconds'),
    ('''ann'', $from, $to, ''[]'', $from, 0', 'WL006', 'p_lease_seconds')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'neither writes anything') from before_refusals;

-- Late, but nobody else has taken it.
do $$ begin perform pg_temp.let_time_pass(); end $$;
select pg_temp.answers(pg_temp.save('ann', 2, '[]'), '{"success": true}', 'a lease that is over is renewed');

select is(
    pg_temp.callers('wallet.save_provider_calls(text, timestamptz, timestamptz, jsonb, timestamptz, integer)'),
    array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);

select * from finish();
rollback;
