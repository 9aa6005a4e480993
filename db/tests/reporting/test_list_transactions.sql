begin;
select plan(53);
\ir ../support.sql
\ir ledgers.sql

do $$
begin
    perform pg_temp.open_wallet('empty');
    perform pg_temp.open_wallet('acme', 1000);
    for v_call in 1 .. 5 loop
        perform wallet.deduct_call_credits(
            pg_temp.org('acme'), 'call_' || v_call, 'v', 1, 100, 2, '{"llm": 1}', 'Call ' || v_call
        );
    end loop;
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 10, 'did', 'A number', 'did');
end $$;

create function pg_temp.numbers(p_page jsonb) returns jsonb
language sql
return jsonb_path_query_array(p_page, '$.transactions[*].entry_number');

select pg_temp.answers(
    wallet.list_transactions(pg_temp.org('acme')) - 'transactions',
    jsonb_build_object('success', true, 'org_id', pg_temp.org('acme'), 'has_more', false, 'next_before', null),
    'a ledger that fits one page has no next one'
);
select is(
    pg_temp.numbers(wallet.list_transactions(pg_temp.org('acme'))), '[7, 6, 5, 4, 3, 2, 1]'::jsonb,
    'the newest entry comes first'
);
select pg_temp.answers(
    wallet.list_transactions(pg_temp.org('acme')) #> '{transactions,0}',
    '{
        "entry_number": 7, "type": "did", "direction": "debit", "amount_pence": 10, "balance_before_pence": 990,
        "balance_after_pence": 980, "call_id": null, "description": "A number"
    }',
    'an entry shows what happened and what it left'
);
select ok(
    wallet.list_transactions(pg_temp.org('acme'))::text !~ 'provider_cost|gross_profit|markup|cost_breakdown|hash',
    'an entry doesn''t show what the service costs its seller'
);

-- Page after page.
create temporary table page as
with recursive pages as (
    select 1 as number, wallet.list_transactions(pg_temp.org('acme'), 3) as answer
    union all
    select number + 1, wallet.list_transactions(pg_temp.org('acme'), 3, (answer ->> 'next_before')::bigint)
    from pages
    where (answer ->> 'has_more')::boolean
)

select
    number,
    pg_temp.numbers(answer) as numbers,
    answer -> 'has_more' as has_more,
    answer -> 'next_before' as next_before
from pages;
select results_eq(
    'select * from page order by number',
    $$
        values
        (1, '[7, 6, 5]'::jsonb, 'true'::jsonb, '5'::jsonb),
        (2, '[4, 3, 2]', 'true', '2'),
        (3, '[1]', 'false', 'null')
    $$,
    'pages follow each other without a gap or an overlap'
);

do $$ begin perform wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'bonus', p_idempotency_key => 'new'); end $$;
select is(
    pg_temp.numbers(wallet.list_transactions(pg_temp.org('acme'), 3, 5)), '[4, 3, 2]'::jsonb,
    'an entry written meanwhile shifts no later page'
);
select pg_temp.answers(
    wallet.list_transactions(pg_temp.org('acme'), 8),
    '{"has_more": false, "next_before": null}',
    'a page that ends with the first entry is the last'
);
select is(
    pg_temp.numbers(wallet.list_transactions(pg_temp.org('acme'), 3, 1)), '[]'::jsonb, 'before the first is none'
);
select is(
    pg_temp.numbers(wallet.list_transactions(pg_temp.org('acme'), 3, 9223372036854775807)), '[8, 7, 6]'::jsonb,
    'before the largest bigint are the newest'
);

-- Types.
select is(
    pg_temp.numbers(wallet.list_transactions(pg_temp.org('acme'), 10, null, types)), numbers::jsonb,
    format('of the types %s: %s', coalesce(types::text, 'null'), numbers)
)
from (
    values
    (array['call_deduction'], '[6, 5, 4, 3, 2]'),
    (array['did', 'topup'], '[7, 1]'),
    (array['sms_deduction'], '[]'),
    (null, '[8, 7, 6, 5, 4, 3, 2, 1]')
) as filter (types, numbers);
select pg_temp.answers(
    wallet.list_transactions(pg_temp.org('acme'), 2, 6, array['call_deduction']),
    '{"has_more": true, "next_before": 4}',
    'pages of one type follow each other too'
);

-- From a moment on, and to before another: five entries, two of them at the same microsecond.
do $$
begin
    perform pg_temp.write_ledger('dated', '[
        {"at": "2026-05-01T12:00:00Z", "kind": "topup", "direction": "credit", "pence": 1000},
        {"at": "2026-05-02T12:00:00.000001Z", "kind": "did", "direction": "debit", "pence": 10},
        {"at": "2026-05-03T12:00:00Z", "kind": "call_deduction", "direction": "debit", "pence": 20},
        {"at": "2026-05-03T12:00:00Z", "kind": "did", "direction": "debit", "pence": 30},
        {"at": "2026-05-04T12:00:00Z", "kind": "topup", "direction": "credit", "pence": 40}
    ]');
end $$;
select is(
    pg_temp.numbers(
        wallet.list_transactions(
            pg_temp.org('dated'), p_before => before, p_types => types, p_from => first::timestamptz,
            p_to => last::timestamptz
        )
    ),
    numbers::jsonb,
    format('from %s to %s, of %s, before %s: %s', first, last, types, before, numbers)
)
from (
    values
    (null, null, null::text[], null::bigint, '[5, 4, 3, 2, 1]'),
    ('2026-05-01 12:00Z', null, null, null, '[5, 4, 3, 2, 1]'),
    ('2026-05-01 12:00:00.000001Z', null, null, null, '[5, 4, 3, 2]'),
    ('2026-05-02 12:00:00.000001Z', null, null, null, '[5, 4, 3, 2]'),
    ('2026-05-02 12:00:00.000002Z', null, null, null, '[5, 4, 3]'),
    (null, '2026-05-02 12:00:00.000001Z', null, null, '[1]'),
    (null, '2026-05-02 12:00:00.000002Z', null, null, '[2, 1]'),
    ('2026-05-03 12:00Z', '2026-05-03 12:00:00.000001Z', null, null, '[4, 3]'),
    ('2026-05-03 12:00Z', '2026-05-03 12:00Z', null, null, '[]'),
    ('2026-05-03 12:00:00.000001Z', '2026-05-04 12:00Z', null, null, '[]'),
    ('2026-05-05 00:00Z', null, null, null, '[]'),
    (null, '2026-05-01 12:00Z', null, null, '[]'),
    ('-infinity', 'infinity', null, null, '[5, 4, 3, 2, 1]'),
    ('infinity', 'infinity', null, null, '[]'),
    ('-infinity', '-infinity', null, null, '[]'),
    ('2026-05-02 00:00Z', '2026-05-04 00:00Z', array['did'], null, '[4, 2]'),
    ('2026-05-02 00:00Z', '2026-05-04 00:00Z', array['did', 'topup'], null, '[4, 2]'),
    ('2026-05-02 00:00Z', null, null, 4, '[3, 2]'),
    ('2026-05-02 00:00Z', null, null, 2, '[]'),
    (null, '2026-05-03 00:00Z', null, 5, '[2, 1]'),
    (null, null, array['topup'], 5, '[1]'),
    ('2026-05-02 00:00Z', null, array['topup'], 5, '[]')
) as period (first, last, types, before, numbers);
select pg_temp.answers(
    wallet.list_transactions(
        pg_temp.org('dated'), 2, p_from => '2026-05-02 00:00Z', p_to => '2026-05-04 00:00Z'
    ),
    '{"has_more": true, "next_before": 3}',
    'a period has pages, too'
);
select pg_temp.answers(
    wallet.list_transactions(
        pg_temp.org('dated'), 2, 3, p_from => '2026-05-02 00:00Z', p_to => '2026-05-04 00:00Z'
    ),
    '{"has_more": false, "next_before": null}',
    'and ends where it begins'
);
select is(
    pg_temp.numbers(wallet.list_transactions(pg_temp.org('dated'), 10, before)), '[]'::jsonb,
    format('before %s is nothing', before)
)
from unnest(array[1, 0, -1, -9223372036854775808]) as before;
select is(
    pg_temp.numbers(wallet.list_transactions(pg_temp.org('dated'), p_types => '{}')), '[]'::jsonb,
    'of no type is nothing'
);

select pg_temp.answers(
    wallet.list_transactions(pg_temp.org('empty')),
    '{"success": true, "transactions": [], "has_more": false, "next_before": null}',
    'an empty ledger has an empty page'
);
select pg_temp.answers(
    wallet.list_transactions(pg_temp.org('nobody')), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);

select pg_temp.raises('select wallet.list_transactions(null)', 'WL001', 'org_id', 'an organization is required');
select pg_temp.raises(
    'select wallet.list_transactions(pg_temp.org(''acme''), null)', 'WL001', 'limit', 'a limit is required'
);
select pg_temp.raises(
    format('select wallet.list_transactions(pg_temp.org(''acme''), %s)', value), 'WL006', 'limit',
    format('a limit of %s is misuse', value)
)
from unnest(array[0, -1, 501]) as value;
select pg_temp.raises(
    'select wallet.list_transactions(pg_temp.org(''acme''), 10, null, array[''did'', ''gift''])', 'WL003', 'types',
    'an unknown type is misuse'
);
select pg_temp.raises(
    'select wallet.list_transactions(pg_temp.org(''acme''), p_from => ''2026-05-02'', p_to => ''2026-05-01'')', 'WL006',
    'p_to', 'a period can''t end before it begins'
);
select lives_ok('select wallet.list_transactions(pg_temp.org(''acme''), 500)', 'a limit of 500 is the largest');

select * from finish();
rollback;
