begin;
select plan(30);
\ir ../support.sql
\ir ../tenants/tenants.sql
\ir ledgers.sql

do $$
begin
    perform pg_temp.write_ledger('acme', '[
        {"at": "2026-11-01T23:59:59.999999Z", "kind": "topup", "direction": "credit", "pence": 5000,
        "description": "Top-up"},
        {"at": "2026-11-02T00:00:00Z", "kind": "call_deduction", "direction": "debit", "pence": 1975,
        "description": null},
        {
            "at": "2026-11-02T09:05:07+05:30", "kind": "did", "direction": "debit", "pence": 7,
            "description": "=1+1, \"a\"\nb; é €"
        },
        {"at": "2026-11-03T00:00:00Z", "kind": "topup_reversal", "direction": "debit", "pence": 6000, "description": ""}
    ]');
end $$;

select is(
    wallet.export_transactions(pg_temp.org('acme')),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'has_more', false, 'next_before', null,
        'columns', '["number", "date", "type", "description", "amount", "balance", "currency"]'::jsonb,
        'rows', '[
            ["4", "2026-11-03T00:00:00Z", "topup_reversal", "", "-60.00", "-29.82", "GBP"],
            ["3", "2026-11-02T03:35:07Z", "did", "=1+1, \"a\"\nb; é €", "-0.07", "30.18", "GBP"],
            ["2", "2026-11-02T00:00:00Z", "call_deduction", null, "-19.75", "30.25", "GBP"],
            ["1", "2026-11-01T23:59:59Z", "topup", "Top-up", "50.00", "50.00", "GBP"]
        ]'::jsonb
    ),
    'entries are rows of text, the newest first, as they are: what a program makes of them is for its writer to mind'
);

-- Amounts in all kinds of currency.
do $$
begin
    perform pg_temp.write_ledger(
        currency,
        '[
            {"at": "2026-11-01T00:00:00Z", "kind": "topup", "direction": "credit", "pence": 5},
            {"at": "2026-11-01T00:00:00Z", "kind": "did", "direction": "debit", "pence": 1234567},
            {"at": "2026-11-01T00:00:00Z", "kind": "topup", "direction": "credit", "pence": 1234562},
            {"at": "2026-11-01T00:00:00Z", "kind": "topup", "direction": "credit", "pence": 9223372036854775807}
        ]',
        currency
    )
    from unnest(array['gbp', 'jpy', 'kwd']) as currency;
end $$;
select is(
    array(
        select format('%s %s', line ->> 4, line ->> 5)
        from jsonb_array_elements(wallet.export_transactions(pg_temp.org(currency)) -> 'rows') as line
    ),
    amounts,
    format('amount and balance in %s', currency)
)
from (
    values
    (
        'gbp',
        array[
            '92233720368547758.07 92233720368547758.07', '12345.62 0.00', '-12345.67 -12345.62', '0.05 0.05'
        ]
    ),
    ('jpy', array['9223372036854775807 9223372036854775807', '1234562 0', '-1234567 -1234562', '5 5']),
    (
        'kwd',
        array[
            '9223372036854775.807 9223372036854775.807', '1234.562 0.000', '-1234.567 -1234.562', '0.005 0.005'
        ]
    )
) as exported (currency, amounts);
select is(
    (
        select string_agg(distinct line ->> 6, ' ')
        from
            unnest(array['gbp', 'jpy', 'kwd']) as currency,
            jsonb_array_elements(wallet.export_transactions(pg_temp.org(currency)) -> 'rows') as line
    ),
    'GBP JPY KWD',
    'a currency is written in capitals'
);

-- The same entries as the list's, by the same pages.
create function pg_temp.check_page(
    p_before bigint default null, p_types text[] default null, p_from timestamptz default null,
    p_to timestamptz default null
) returns text
language plpgsql
as $$
declare
    v_file constant jsonb := wallet.export_transactions(pg_temp.org('acme'), p_before, p_types, p_from, p_to);
    v_list constant jsonb := wallet.list_transactions(pg_temp.org('acme'), 500, p_before, p_types, p_from, p_to);
begin
    return is(
        jsonb_build_array(
            jsonb_path_query_array(v_file, '$.rows[*][0]'), v_file -> 'has_more', v_file -> 'next_before'
        ),
        jsonb_build_array(
            (
                select coalesce(jsonb_agg(e ->> 'entry_number' order by (e ->> 'entry_number')::bigint desc), '[]')
                from jsonb_array_elements(v_list -> 'transactions') as e
            ),
            v_list -> 'has_more', v_list -> 'next_before'
        ),
        format('before %s, of %s, from %s to %s', p_before, p_types, p_from, p_to)
    );
end;
$$;

select pg_temp.check_page();
select pg_temp.check_page(3);
select pg_temp.check_page(1);
select pg_temp.check_page(null, array['did', 'topup']);
select pg_temp.check_page(2, array['did', 'topup']);
select pg_temp.check_page(p_from => '2026-11-02 00:00Z');
select pg_temp.check_page(p_to => '2026-11-02 00:00Z');
select pg_temp.check_page(4, array['did', 'topup_reversal'], '2026-11-01 00:00Z', '2026-11-03 00:00Z');

select is(
    jsonb_path_query_array(wallet.export_transactions(pg_temp.org('acme'), 3), '$.rows[*][0]'), '["2", "1"]'::jsonb,
    'before an entry are those below it'
);
select is(
    jsonb_path_query_array(wallet.export_transactions(pg_temp.org('acme'), p_types => array['did']), '$.rows[*][2]'),
    '["did"]'::jsonb,
    'of a type are those alone'
);

-- Pages of 500.
do $$
begin
    perform pg_temp.write_ledger(
        'long',
        (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'at', '2026-01-01 00:00Z'::timestamptz + n * interval '1 second', 'kind', 'topup',
                        'direction', 'credit', 'pence', n
                    )
                    order by n
                )
            from generate_series(1, 1001) as n
        )
    );
end $$;
create temporary table file as
with recursive pages as (
    select wallet.export_transactions(pg_temp.org('long')) as page
    union all
    select wallet.export_transactions(pg_temp.org('long'), (page ->> 'next_before')::bigint)
    from pages
    where (page ->> 'has_more')::boolean
)

select page from pages;

select results_eq(
    $$select jsonb_array_length(page -> 'rows'),
    page -> 'next_before' from file order by (page ->> 'next_before')::bigint desc nulls last$$,
    $$values (500, '502'::jsonb), (500, '2'), (1, 'null')$$,
    'a file of 1,001 entries has three pages'
);
select results_eq(
    $$
        select (line ->> 0)::bigint from file, jsonb_array_elements(page -> 'rows') as line
        order by 1
    $$,
    'select generate_series(1, 1001)::bigint',
    'with each entry once'
);
select is(
    (select sum((line ->> 4)::numeric) from file, jsonb_array_elements(page -> 'rows') as line),
    5015.01,
    'its amounts add up to the balance'
);

-- In summer, too.
do $$
begin
    perform pg_temp.write_ledger(
        'summer', '[{"at": "2026-07-01T00:30:00+02:00", "kind": "topup", "direction": "credit", "pence": 1}]'
    );
end $$;
select is(
    wallet.export_transactions(pg_temp.org('summer')) #>> '{rows,0,1}', '2026-06-30T22:30:00Z',
    'times are in UTC all the year'
);

-- Nothing to tell.
do $$ begin perform pg_temp.open_wallet('empty'); end $$;
select pg_temp.answers(
    wallet.export_transactions(pg_temp.org('empty')),
    '{
        "success": true, "rows": [], "has_more": false, "next_before": null,
        "columns": ["number", "date", "type", "description", "amount", "balance", "currency"]
    }',
    'an empty ledger has columns and no rows'
);
select is(
    wallet.export_transactions(pg_temp.org('nobody')), wallet.list_transactions(pg_temp.org('nobody')),
    'an unknown organization is refused'
);
select pg_temp.raises(
    format('select wallet.export_transactions(%s)', arguments), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    ('null', 'WL001', 'p_org_id'),
    ('pg_temp.org(''acme''), p_types => array[''gift'']', 'WL003', 'p_types'),
    ('pg_temp.org(''acme''), p_from => ''2026-05-02'', p_to => ''2026-05-01''', 'WL006', 'p_to')
) as misuse (arguments, sqlstate, field);

-- Whoever asks, wherever.
select is(
    pg_temp.as_tenant('acme', format('export_transactions(%L)', pg_temp.org('acme'))),
    wallet.export_transactions(pg_temp.org('acme')),
    'a tenant has its own as a backend does'
);
select pg_temp.answers(
    pg_temp.as_tenant('globex', format('export_transactions(%L)', pg_temp.org('acme'))),
    '{"success": false, "error": "organization_not_found"}',
    'and that of another not at all'
);
select unalike(
    wallet.export_transactions(pg_temp.org('acme'))::text, '%' || hidden || '%', format('it says nothing of %s', hidden)
)
from unnest(array['provider_cost', 'entry 1', 'gross_profit']) as hidden;
create temporary table exported as select wallet.export_transactions(pg_temp.org('acme')) as answer;
set local time zone 'Asia/Kathmandu';
set local datestyle = 'SQL, DMY';
select is(
    wallet.export_transactions(pg_temp.org('acme')), answer,
    'the session''s time zone and way to write dates don''t matter'
)
from exported;

select * from finish();
rollback;
