begin;
select plan(17);
\ir ../support.sql

set local timezone = 'Asia/Kolkata';
select is(
    wallet.read_report_time(jsonb_build_object('endedAt', written), 'endedAt'),
    '2026-03-02 10:15:03.74+00'::timestamptz,
    format('%s is read', written)
)
from
    unnest(
        array[
            '2026-03-02T10:15:03.740Z', '2026-03-02T10:15:03.74Z', '2026-03-02T10:15:03.740000+00:00',
            '2026-03-02T15:45:03.740+05:30', '2026-03-02T05:15:03.740-0500'
        ]
    ) as written;
select is(
    wallet.read_report_time(call, 'endedAt'), null, format('%s has no time', call)
)
from unnest(array['{}', '{"endedAt": null}']::jsonb[]) as call;
select pg_temp.raises(
    format('select wallet.read_report_time(%L, ''endedAt'')', jsonb_build_object('endedAt', written)),
    'WL012', 'endedAt', format('%s is no time', written)
)
from
    unnest(
        array[
            '2026-03-02T10:15:03', '2026-13-02T10:15:03Z', '2026-02-30T10:15:03Z', '2026-03-02T25:15:03Z',
            '2026-03-02T10:15:03+99:00', '2026-03-02', 'infinity', 'now', ''
        ]
    ) as written;
select pg_temp.raises(
    'select wallet.read_report_time(''{"endedAt": 1772446503740}'', ''endedAt'')',
    'WL012', 'endedAt', 'nor is a number'
);

select * from finish();
rollback;
