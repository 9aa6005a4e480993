-- Pages through a ledger of 30,000 entries, filtered: each entry once, and no call looks at more than 20,000.
begin;
select plan(26);
\ir ../support.sql
\ir ledgers.sql

-- A charge a minute. Numbers 5, 9,999, 10,000 and 10,001 are bought; every 1000th from 11,000 on is a top-up.
select pg_temp.write_ledger(
    'big',
    (
        select
            jsonb_agg(
                jsonb_build_object(
                    'at', '2026-01-01 00:00Z'::timestamptz + n * interval '1 minute',
                    'kind', case
                        when n in (5, 9999, 10000, 10001) then 'did'
                        when n >= 11000 and n % 1000 = 0 then 'topup'
                        else 'call_deduction'
                    end,
                    'direction', case when n >= 11000 and n % 1000 = 0 then 'credit' else 'debit' end,
                    'pence', 1 + n % 97
                )
                order by n
            )
        from generate_series(1, 30000) as n
    )
) as org_id
\gset

-- All pages of a list, one after the other.
create function pg_temp.pages(
    p_limit integer, p_types text[] default null, p_from timestamptz default null, p_to timestamptz default null
) returns table (page integer, numbers bigint[], next_before bigint, has_more boolean)
language plpgsql
as $$
declare
    v_answer jsonb;
begin
    page := 0;
    loop
        page := page + 1;
        v_answer := wallet.list_transactions(pg_temp.org('big'), p_limit, next_before, p_types, p_from, p_to);
        numbers := array(
            select e.entry_number from jsonb_to_recordset(v_answer -> 'transactions') as e (entry_number bigint)
        );
        next_before := v_answer ->> 'next_before';
        has_more := v_answer ->> 'has_more';
        return next;
        exit when not has_more or page > 1000;
    end loop;
end;
$$;

-- What is searched for far down is found, by pages that are empty or short before.
select results_eq(
    format('select page, numbers, next_before, has_more from pg_temp.pages(%s, array[''did''])', size), expected,
    format('what lies deep is found, %s a page', size)
)
from (
    values
    (
        50,
        $$
            values
            (1, array[10001]::bigint[], 10001::bigint, true),
            (2, array[10000, 9999, 5], null, false)
        $$
    ),
    (
        1,
        $$
            values
            (1, array[10001]::bigint[], 10001::bigint, true),
            (2, array[10000], 10000, true),
            (3, array[9999], 9999, true),
            (4, array[5], null, false)
        $$
    )
) as paged (size, expected);
select results_eq(
    'select page, numbers, next_before, has_more from pg_temp.pages(50, array[''sms_deduction''])',
    'values (1, array[]::bigint[], 10001::bigint, true), (2, array[]::bigint[], null, false)',
    'what isn''t there is looked for to the end'
);
select is(
    wallet.list_transactions(pg_temp.org('big'), 50, before, array['did']) -> 'next_before', next_before::jsonb,
    format('before %s a call looks down to %s', before, next_before)
)
from (
    values (null, '10001'), (30001, '10001'), (30000, '10000'), (20002, '2'), (20001, 'null'), (20000, 'null'),
    (2, 'null')
) as looked (before, next_before);
select results_eq(
    'select page, numbers, next_before, has_more from pg_temp.pages(50, array[''did''], ''2026-01-08 00:00Z'')',
    -- 8 January begins with entry 10,080.
    'values (1, array[]::bigint[], null::bigint, false)',
    'a period that is looked through in one go has no more'
);
select results_eq(
    $$
        select page, numbers, next_before, has_more
        from pg_temp.pages(50, array['did'], '2026-01-01 00:10Z', '2026-01-21 20:00Z')
    $$,
    'values (1, array[10001, 10000]::bigint[], 10000::bigint, true), (2, array[9999]::bigint[], null, false)',
    'a longer one is looked through from its end'
);

-- Every filter: exactly the entries that a plain query finds, in order, each once.
create temporary table filter (size, types, first, last) as
values
(500, null::text[], null::timestamptz, null::timestamptz),
(499, null, '2026-01-03 00:00Z', '2026-01-20 12:00:30Z'),
(500, array['call_deduction'], null, null),
(333, array['call_deduction', 'did'], '2026-01-05 00:00Z', null),
(7, array['topup'], null, null),
(3, array['topup', 'did'], null, '2026-01-15 00:00Z'),
(1, array['did'], '2026-01-01 00:05Z', '2026-01-07 22:41Z'),
(2, array['did'], '2026-01-01 00:05:00.000001Z', '2026-01-07 22:41:00.000001Z'),
(500, array['topup'], '2026-01-01 00:00Z', '2026-01-01 00:00Z');

create temporary table paged as
select f.*, p.* from filter as f, pg_temp.pages(f.size, f.types, f.first, f.last) as p;

select is(
    (
        select array_agg(number order by page, position)
        from paged as p, unnest(p.numbers) with ordinality as listed (number, position)
        where (p.size, p.types, p.first, p.last) is not distinct from (f.size, f.types, f.first, f.last)
    ),
    (
        select array_agg(entry_number order by entry_number desc)
        from wallet.credit_transactions
        where
            org_id = pg_temp.org('big')
            and (types is null or type = any(types))
            and (first is null or created_at >= first)
            and (last is null or created_at < last)
    ),
    format('pages of %s, %s, from %s to %s', size, types, first, last)
)
from filter as f;
select is_empty('select * from paged where cardinality(numbers) > size', 'no page has more than its size');
select is_empty(
    $$
        select size, types, first, page, next_before
        from (
            select *, lag(next_before) over (partition by size, types, first, last order by page) as before from paged
        ) as followed
        where next_before >= before or (next_before is null) = has_more
    $$,
    'each page goes on below the one before, until there is no more'
);
select is(
    (select count(*) from paged where size = 500 and types is null), 60::bigint,
    '30,000 entries are sixty pages of 500, and none after the last'
);

-- Entries that are written meanwhile shift nothing.
create temporary table seen as
select wallet.list_transactions(pg_temp.org('big'), 3, p_types => array['did']) as first;

do $$
begin
    for v_more in 1 .. 3 loop
        perform wallet.add_wallet_credits(pg_temp.org('big'), 1, 'bonus', p_idempotency_key => 'more ' || v_more);
    end loop;
end $$;
select is(
    jsonb_path_query_array(
        wallet.list_transactions(pg_temp.org('big'), 3, (first ->> 'next_before')::bigint, array['did']),
        '$.transactions[*].entry_number'
    ),
    '[10000, 9999, 5]'::jsonb,
    'entries that are written meanwhile shift no later page'
)
from seen;

-- A limit of the list is a limit of the file.
select is(
    jsonb_array_length(wallet.export_transactions(pg_temp.org('big')) -> 'rows'), 500, 'a file has 500 rows a page'
);

select * from finish();
rollback;
