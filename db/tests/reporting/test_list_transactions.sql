begin;
select plan(23);
\ir ../support.sql

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
select lives_ok('select wallet.list_transactions(pg_temp.org(''acme''), 500)', 'a limit of 500 is the largest');

select * from finish();
rollback;
