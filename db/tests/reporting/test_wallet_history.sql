begin;
select plan(55);
\ir ../support.sql
\ir ../tenants/tenants.sql
\ir ledgers.sql

create function pg_temp.history(p_name text, p_from text, p_to text, p_zone text default 'UTC') returns jsonb
language sql
return wallet.wallet_history(pg_temp.org(p_name), p_from::date, p_to::date, p_zone);

-- Around the night of 29 March 2026, when London's clocks are put forward at 01:00.
do $$
begin
    perform pg_temp.write_ledger('acme', '[
        {"at": "2026-03-28T23:59:59.999999Z", "kind": "topup", "direction": "credit", "pence": 10000},
        {"at": "2026-03-29T00:00:00Z", "kind": "call_deduction", "direction": "debit", "pence": 400},
        {"at": "2026-03-29T01:30:00Z", "kind": "call_deduction", "direction": "debit", "pence": 75},
        {"at": "2026-03-29T22:59:59.999999Z", "kind": "did", "direction": "debit", "pence": 99},
        {"at": "2026-03-29T23:00:00Z", "kind": "adjustment", "direction": "credit", "pence": 7},
        {"at": "2026-03-29T23:00:00Z", "kind": "adjustment", "direction": "debit", "pence": 3},
        {"at": "2026-03-31T12:00:00Z", "kind": "topup_reversal", "direction": "debit", "pence": 12000},
        {"at": "2026-03-31T12:00:01Z", "kind": "bonus", "direction": "credit", "pence": 250}
    ]');
    perform pg_temp.open_wallet('empty');
end $$;

select is(
    pg_temp.history('acme', '2026-03-28', '2026-04-01'),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'currency', 'gbp', 'time_zone', 'UTC',
        'opening_balance_pence', 0,
        'days', '[
            {"day": "2026-03-28", "closing_balance_pence": 10000, "credits": {"topup": 10000}, "debits": {}},
            {
                "day": "2026-03-29", "closing_balance_pence": 9430, "credits": {"adjustment": 7},
                "debits": {"call_deduction": 475, "did": 99, "adjustment": 3}
            },
            {"day": "2026-03-30", "closing_balance_pence": 9430, "credits": {}, "debits": {}},
            {
                "day": "2026-03-31", "closing_balance_pence": -2320, "credits": {"bonus": 250},
                "debits": {"topup_reversal": 12000}
            },
            {"day": "2026-04-01", "closing_balance_pence": -2320, "credits": {}, "debits": {}}
        ]'::jsonb
    ),
    'each day shows what came, what went and what was left; a day without entries, what was left before'
);
select is(
    pg_temp.history('acme', '2026-03-29', '2026-03-30', 'Europe/London'),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'currency', 'gbp', 'time_zone', 'Europe/London',
        'opening_balance_pence', 10000,
        'days', '[
            {
                "day": "2026-03-29", "closing_balance_pence": 9426, "credits": {},
                "debits": {"call_deduction": 475, "did": 99}
            },
            {
                "day": "2026-03-30", "closing_balance_pence": 9430, "credits": {"adjustment": 7},
                "debits": {"adjustment": 3}
            }
        ]'::jsonb
    ),
    'a day of 23 hours ends at 23:00 UTC'
);
select is(
    array(
        select format('%s %s', day ->> 'day', day ->> 'closing_balance_pence')
        from jsonb_array_elements(pg_temp.history('acme', '2026-03-28', '2026-03-30', zone) -> 'days') as day
    ),
    expected,
    format('in %s', zone)
)
from (
    values
    ('Asia/Kathmandu', array['2026-03-28 0', '2026-03-29 9525', '2026-03-30 9430']),
    ('America/New_York', array['2026-03-28 9525', '2026-03-29 9430', '2026-03-30 9430']),
    ('Pacific/Kiritimati', array['2026-03-28 0', '2026-03-29 9525', '2026-03-30 9430'])
) as elsewhere (zone, expected);

-- Where it begins.
select pg_temp.answers(
    pg_temp.history('acme', '2026-01-01', '2026-01-02'),
    '{
        "opening_balance_pence": 0,
        "days": [
            {"day": "2026-01-01", "closing_balance_pence": 0, "credits": {}, "debits": {}},
            {"day": "2026-01-02", "closing_balance_pence": 0, "credits": {}, "debits": {}}
        ]
    }',
    'before its first entry a wallet is empty'
);
select pg_temp.answers(
    pg_temp.history('acme', '2026-04-02', '2026-04-02'),
    '{"opening_balance_pence": -2320, "days": [
        {"day": "2026-04-02", "closing_balance_pence": -2320, "credits": {}, "debits": {}}
    ]}',
    'after its last it stays as it was'
);
select pg_temp.answers(
    pg_temp.history('empty', '2026-04-02', '2026-04-03'),
    '{"success": true, "opening_balance_pence": 0, "days": [
        {"day": "2026-04-02", "closing_balance_pence": 0, "credits": {}, "debits": {}},
        {"day": "2026-04-03", "closing_balance_pence": 0, "credits": {}, "debits": {}}
    ]}',
    'a wallet without entries has days without entries'
);
do $$
begin
    perform pg_temp.open_wallet('young', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('young'), 'call_1', null, 1, 1, 25);
end $$;
select pg_temp.answers(
    pg_temp.history('young', (now() at time zone 'UTC')::date::text, ((now() at time zone 'UTC')::date + 1)::text),
    jsonb_build_object(
        'opening_balance_pence', 0,
        'days', jsonb_build_array(
            jsonb_build_object(
                'day', (now() at time zone 'UTC')::date, 'closing_balance_pence', 975,
                'credits', '{"topup": 1000}'::jsonb, 'debits', '{"call_deduction": 25}'::jsonb
            ),
            jsonb_build_object(
                'day', (now() at time zone 'UTC')::date + 1, 'closing_balance_pence', 975, 'credits', '{}'::jsonb,
                'debits', '{}'::jsonb
            )
        )
    ),
    'today ends with the balance of now, and so does tomorrow'
);
do $$
begin
    perform pg_temp.write_ledger('rich', '[
        {"at": "2026-03-28T12:00:00Z", "kind": "topup", "direction": "credit", "pence": 9223372036854775807},
        {"at": "2026-03-28T12:00:00Z", "kind": "adjustment", "direction": "debit", "pence": 9223372036854775807},
        {"at": "2026-03-28T12:00:00Z", "kind": "topup", "direction": "credit", "pence": 9223372036854775807}
    ]', 'jpy');
end $$;
select pg_temp.answers(
    pg_temp.history('rich', '2026-03-28', '2026-03-28'),
    '{"currency": "jpy", "days": [{
        "day": "2026-03-28", "closing_balance_pence": 9223372036854775807,
        "credits": {"topup": 18446744073709551614}, "debits": {"adjustment": 9223372036854775807}
    }]}',
    'the largest amounts add up exactly'
);

-- Days everywhere. Entries every few minutes around nights when clocks changed.
create temporary table night (zone, moment) as
values
('Europe/London', '2024-03-31 01:00Z'::timestamptz),
('Europe/London', '2024-10-27 01:00Z'),
('America/New_York', '2024-11-03 06:00Z'),
('Atlantic/Azores', '2024-10-27 01:00Z'),
('America/Havana', '2024-03-10 05:00Z'),
('America/Havana', '2024-11-03 05:00Z'),
('America/Sao_Paulo', '2018-02-18 02:00Z'),
('America/Sao_Paulo', '2018-11-04 03:00Z'),
('Africa/Cairo', '2023-04-27 22:00Z'),
('Africa/Cairo', '2023-10-26 21:00Z'),
('Australia/Lord_Howe', '2024-04-06 15:00Z'),
('Antarctica/Troll', '2024-10-27 01:00Z'),
('Pacific/Apia', '2011-12-30 10:00Z'),
('Asia/Kathmandu', '2024-01-01 18:15Z'),
('UTC', '2024-02-29 00:00Z');

select pg_temp.write_ledger(
    'everywhere',
    (
        select
            jsonb_agg(
                jsonb_build_object(
                    'at', moment,
                    'kind', (array['topup', 'adjustment', 'call_deduction', 'adjustment'])[1 + pence % 4],
                    'direction', (array['credit', 'credit', 'debit', 'debit'])[1 + pence % 4],
                    'pence', pence
                )
                order by moment, pence
            )
        from (
            select
                n.moment + i * interval '17 minutes' - interval '1 microsecond' * (i % 3) as moment,
                1 + (row_number() over () * 7919) % 1000 as pence
            from (select distinct moment from night) as n, generate_series(-200, 200) as i
        ) as entry
    )
) as everywhere
\gset

-- What the history should say of each day, from the entries alone.
create temporary table entry as
select
    zone,
    (created_at at time zone zone)::date as day,
    c.*
from wallet.credit_transactions as c, (select distinct zone from night) as z
where org_id = pg_temp.org('everywhere');

create function pg_temp.expected_days(p_from date, p_to date, p_zone text) returns jsonb
language sql stable
as $$
    with sums as (
        select day, direction, jsonb_object_agg(type, pence) as by_type
        from (
            select day, direction, type, sum(amount_pence) as pence from entry
            where zone = p_zone and day between p_from and p_to
            group by day, direction, type
        ) as s
        group by day, direction
    )

    select
        jsonb_agg(
            jsonb_build_object(
                'day', day,
                'closing_balance_pence', coalesce(
                    (
                        select balance_after_pence from entry
                        where zone = p_zone and entry.day <= days.day
                        order by entry_number desc limit 1
                    ),
                    0
                ),
                'credits',
                coalesce((select by_type from sums where sums.day = days.day and direction = 'credit'), '{}'),
                'debits', coalesce((select by_type from sums where sums.day = days.day and direction = 'debit'), '{}')
            )
            order by day
        )
    from (select d::date as day from generate_series(p_from::timestamp, p_to, '1 day') as d) as days
$$;

create index on entry (zone, entry_number);

create temporary table told as
select
    zone,
    moment,
    (moment at time zone zone)::date - 3 as first,
    (moment at time zone zone)::date + 3 as last,
    pg_temp.history(
        'everywhere', ((moment at time zone zone)::date - 3)::text, ((moment at time zone zone)::date + 3)::text, zone
    ) as history
from night;

select is(
    history -> 'days', pg_temp.expected_days(first, last, zone),
    format('%s around %s: every entry counts for the date that its clock shows', zone, first + 3)
)
from told;
select is_empty(
    $$
        select told.zone, told.first, day ->> 'day'
        from told, jsonb_array_elements(history -> 'days') as day
        where
            (day ->> 'closing_balance_pence')::bigint <> (
                wallet.balance_at(
                    pg_temp.org('everywhere'),
                    wallet.day_start((day ->> 'day')::date + 1, zone) - interval '1 microsecond'
                ) ->> 'balance_pence'
            )::bigint
    $$,
    'a day closes with the balance of its last moment'
);
select is_empty(
    $$
        select told.zone, told.first
        from told, lateral (
            select
                pg_temp.history('everywhere', (first + i + 1)::text, last::text, zone) as later,
                pg_temp.history('everywhere', first::text, (first + i)::text, zone) as earlier
            from unnest(array[2, 3]) as i
            offset 0
        ) as cut
        where
            (later -> 'opening_balance_pence') <> (earlier #> '{days,-1,closing_balance_pence}')
            or (earlier -> 'days') || (later -> 'days') <> history -> 'days'
            or earlier -> 'opening_balance_pence' <> history -> 'opening_balance_pence'
    $$,
    'periods that meet at any day are the whole, in every zone'
);
select is_empty(
    $$
        select told.zone, told.first
        from told
        cross join lateral (
            select
                coalesce(sum(sums.pence::numeric) filter (where sums.side = 'credits'), 0) as credited,
                coalesce(sum(sums.pence::numeric) filter (where sums.side = 'debits'), 0) as debited
            from
                jsonb_array_elements(history -> 'days') as day,
                unnest(array['credits', 'debits']) as sides (side),
                lateral (select sides.side, e.value as pence from jsonb_each_text(day -> sides.side) as e) as sums
        ) as total
        where
            (history ->> 'opening_balance_pence')::numeric + credited - debited
            <> (history #>> '{days,-1,closing_balance_pence}')::numeric
    $$,
    'opening balance plus credits less debits is the last closing balance'
);
select cmp_ok(
    (select count(*) from told, jsonb_array_elements(history -> 'days') as day where day -> 'debits' <> '{}'), '>',
    40::bigint,
    'these days have entries'
);

-- Up to 366 days.
select is(
    jsonb_array_length(pg_temp.history('acme', first, last) -> 'days'), length,
    format('%s to %s: %s days', first, last, length)
)
from (
    values ('2026-01-01', '2026-01-01', 1), ('2023-03-01', '2024-02-29', 366), ('2025-06-01', '2026-06-01', 366)
) as period (first, last, length);
select is(
    pg_temp.history('everywhere', '2024-01-01', '2024-12-31', 'Europe/London') -> 'days',
    pg_temp.expected_days('2024-01-01', '2024-12-31', 'Europe/London'),
    'a leap year agrees day by day'
);
select pg_temp.raises(
    format('select wallet.wallet_history(%L, %L, %L, %L)', org_id, first, last, zone), sqlstate, field,
    format('%s is checked: %s', field, coalesce(zone, last, first, 'null'))
)
from (
    values
    (null, '2026-01-01', '2026-01-02', 'UTC', 'WL001', 'p_org_id'),
    (pg_temp.org('acme'), null, '2026-01-02', 'UTC', 'WL001', 'p_from'),
    (pg_temp.org('acme'), '2026-01-01', null, 'UTC', 'WL001', 'p_to'),
    (pg_temp.org('acme'), '2026-01-01', '2026-01-02', null, 'WL001', 'p_time_zone'),
    (pg_temp.org('acme'), '2026-01-02', '2026-01-01', 'UTC', 'WL006', 'p_to'),
    (pg_temp.org('acme'), '2026-01-01', '2027-01-02', 'UTC', 'WL006', 'p_to'),
    (pg_temp.org('acme'), '2026-01-01', 'infinity', 'UTC', 'WL006', 'p_to'),
    (pg_temp.org('acme'), '-infinity', '2026-01-01', 'UTC', 'WL006', 'p_from'),
    (pg_temp.org('acme'), '0001-12-31 BC', '0001-01-01', 'UTC', 'WL006', 'p_from'),
    (pg_temp.org('acme'), '10000-01-01', '10000-01-01', 'UTC', 'WL006', 'p_from'),
    (pg_temp.org('acme'), '5874897-12-31', '5874897-12-31', 'UTC', 'WL006', 'p_from'),
    (pg_temp.org('acme'), '2026-01-01', '2026-01-02', '', 'WL006', 'p_time_zone'),
    (pg_temp.org('acme'), '2026-01-01', '2026-01-02', 'Europe/Atlantis', 'WL006', 'p_time_zone'),
    (pg_temp.org('acme'), '2026-01-01', '2026-01-02', repeat('x', 1000), 'WL006', 'p_time_zone')
) as misuse (org_id, first, last, zone, sqlstate, field);
select lives_ok(
    format('select wallet.wallet_history(%L, %L, %L, %L)', pg_temp.org('everywhere'), day, day, zone),
    format('the limits of years are days, too: %s in %s', day, zone)
)
from unnest(array['0001-01-01', '9999-12-31']) as day, unnest(array['Pacific/Kiritimati', 'Etc/GMT+12']) as zone;
select pg_temp.answers(
    pg_temp.history('nobody', '2026-01-01', '2026-01-02'),
    jsonb_build_object('success', false, 'error', 'organization_not_found', 'org_id', pg_temp.org('nobody')),
    'an unknown organization is refused'
);

-- Whoever asks.
select is(
    pg_temp.as_tenant('acme', format('wallet_history(%L, %L, %L)', pg_temp.org('acme'), '2026-03-28', '2026-04-01')),
    pg_temp.history('acme', '2026-03-28', '2026-04-01'),
    'a tenant sees its own as a backend does'
);
select pg_temp.answers(
    pg_temp.as_tenant('globex', format('wallet_history(%L, %L, %L)', pg_temp.org('acme'), '2026-03-28', '2026-04-01')),
    '{"success": false, "error": "organization_not_found"}',
    'and that of another not at all'
);
set local time zone 'Pacific/Kiritimati';
set local datestyle = 'SQL, DMY';
select is(
    wallet.wallet_history(
        pg_temp.org('everywhere'), make_date(2024, 10, 24), make_date(2024, 10, 30), 'Atlantic/Azores'
    ),
    history,
    'the session''s time zone and way to write dates don''t matter'
)
from told where zone = 'Atlantic/Azores';

select * from finish();
rollback;
