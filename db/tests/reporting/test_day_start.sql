begin;
select plan(25);
\ir ../support.sql

select is(
    wallet.day_start(day::date, zone) at time zone 'UTC', starts::timestamp,
    format('%s begins in %s at %s', day, zone, starts)
)
from (
    values
    ('2026-11-01', 'UTC', '2026-11-01 00:00'),
    ('2026-11-01', 'Europe/London', '2026-11-01 00:00'),
    ('2026-06-01', 'Europe/London', '2026-05-31 23:00'),
    ('2026-11-01', 'Asia/Kathmandu', '2026-10-31 18:15'),
    ('2026-11-01', 'Pacific/Kiritimati', '2026-10-31 10:00'),
    -- A clock that is put forward or back within the day.
    ('2026-03-29', 'Europe/London', '2026-03-29 00:00'),
    ('2026-03-30', 'Europe/London', '2026-03-29 23:00'),
    ('2026-10-25', 'Europe/London', '2026-10-24 23:00'),
    ('2026-10-26', 'Europe/London', '2026-10-26 00:00'),
    -- A clock that skips midnight: the day begins at one.
    ('2018-11-04', 'America/Sao_Paulo', '2018-11-04 03:00'),
    ('2024-03-10', 'America/Havana', '2024-03-10 05:00'),
    ('2023-04-28', 'Africa/Cairo', '2023-04-27 22:00'),
    -- A clock that goes back over midnight: the day begins with the first of two.
    ('2026-10-25', 'Atlantic/Azores', '2026-10-25 00:00'),
    ('2026-10-26', 'Atlantic/Azores', '2026-10-26 01:00'),
    ('2024-11-03', 'America/Havana', '2024-11-03 04:00'),
    ('2024-11-04', 'America/Havana', '2024-11-04 05:00'),
    -- A clock that goes back to the day before: that day has its last hour twice.
    ('2018-02-18', 'America/Sao_Paulo', '2018-02-18 03:00'),
    ('2023-10-27', 'Africa/Cairo', '2023-10-26 22:00'),
    -- A day that was left out.
    ('2011-12-30', 'Pacific/Apia', '2011-12-30 10:00'),
    ('2011-12-31', 'Pacific/Apia', '2011-12-30 10:00')
) as begun (day, zone, starts);

-- Of all hours of all zones: a day begins where its date does.
create temporary table zone as
select name::text from pg_timezone_names where name ~ '^(Africa|America|Asia|Atlantic|Australia|Europe|Pacific)/';

select cmp_ok((select count(*) from zone), '>', 300::bigint, 'there are hundreds of time zones');
select is_empty(
    $$
        select name, day
        from zone, generate_series('2023-01-01'::timestamp, '2024-12-31'::timestamp, '1 day') as day
        cross join lateral wallet.day_start(day::date, name) as start
        where
            (start at time zone name)::date <> day::date
            or ((start - interval '1 microsecond') at time zone name)::date >= day::date
    $$,
    'no moment of a day lies before its start, in two years of all zones'
);
select throws_ok(
    'select wallet.day_start(''2026-11-01'', ''Nowhere/Land'')', '22023', null, 'an unknown zone raises'
);
select is(wallet.day_start(null, 'UTC'), null, 'of no day there is no start');
set local time zone 'Asia/Tokyo';
select is(
    wallet.day_start('2026-11-01', 'UTC') at time zone 'UTC', '2026-11-01 00:00'::timestamp,
    'the session''s own zone doesn''t matter'
);

select * from finish();
rollback;
