begin;
select plan(22);
\ir ../support.sql

-- One entry at noon of each of the first five days of May.
do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 0, 400, null, 'a call');
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_2', 'v', 100, 0, 200);
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', 'pi_1');
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 99, 'did', 'x', 'did');
    alter table wallet.credit_transactions disable trigger refuse_row_change;
    update wallet.credit_transactions
    set created_at = '2026-05-01 12:00+00'::timestamptz + (entry_number - 1) * interval '1 day'
    where org_id = pg_temp.org('acme');
    alter table wallet.credit_transactions enable always trigger refuse_row_change;
end $$;

create function pg_temp.statement(p_from text, p_to text) returns jsonb
language sql
return wallet.wallet_statement(pg_temp.org('acme'), p_from::timestamptz, p_to::timestamptz);

select pg_temp.answers(
    pg_temp.statement('2026-05-02 00:00+00', '2026-05-05 00:00+00'),
    '{
        "success": true, "currency": "gbp", "opening_balance_pence": 1000, "closing_balance_pence": 5400,
        "opening_balance_formatted": "£10.00", "closing_balance_formatted": "£54.00",
        "total_credits_pence": 5000, "total_debits_pence": 600,
        "by_type": [
            {"type": "call_deduction", "direction": "debit", "entries": 2, "amount_pence": 600},
            {"type": "topup", "direction": "credit", "entries": 1, "amount_pence": 5000}
        ]
    }',
    'a statement shows what a period began with, what came, what went and what it ended with'
);
select is(
    (
        select jsonb_agg(entry - array['id', 'created_at'])
        from
            jsonb_array_elements(
                pg_temp.statement('2026-05-02 00:00+00', '2026-05-04 00:00+00') -> 'entries'
            ) as entry
    ),
    '[
        {
            "entry_number": 2, "type": "call_deduction", "direction": "debit", "amount_pence": 400,
            "balance_after_pence": 600, "description": "a call"
        },
        {
            "entry_number": 3, "type": "call_deduction", "direction": "debit", "amount_pence": 200,
            "balance_after_pence": 400, "description": null
        }
    ]'::jsonb,
    'its entries stand in their order'
);

-- From p_from to before p_to.
select is(
    jsonb_path_query_array(pg_temp.statement(p_from, p_to), '$.entries[*].entry_number'), entries::jsonb,
    format('from %s to %s: entries %s', p_from, p_to, entries)
)
from (
    values
    ('2026-05-01 12:00+00', '2026-05-02 12:00+00', '[1]'),
    ('2026-05-01 12:00:00.000001+00', '2026-05-02 12:00:00.000001+00', '[2]'),
    ('2026-05-02 12:00+00', '2026-05-02 12:00+00', '[]'),
    ('2026-05-02 13:00+00', '2026-05-02 14:00+00', '[]'),
    ('-infinity', 'infinity', '[1, 2, 3, 4, 5]'),
    ('2027-01-01 00:00+00', 'infinity', '[]')
) as period (p_from, p_to, entries);

select pg_temp.answers(
    pg_temp.statement('2026-05-02 13:00+00', '2026-05-02 14:00+00'),
    '{
        "opening_balance_pence": 600, "closing_balance_pence": 600, "total_credits_pence": 0,
        "total_debits_pence": 0, "by_type": [], "entries": []
    }',
    'a quiet period ends as it began'
);
select pg_temp.answers(
    pg_temp.statement('-infinity', 'infinity'),
    '{"opening_balance_pence": 0, "closing_balance_pence": 5301}',
    'all of time leads from 0 to the balance'
);

-- Periods that meet add up, wherever they are cut.
create temporary table cut as
select
    pg_temp.statement('-infinity', moment) as earlier,
    pg_temp.statement(moment, 'infinity') as later,
    moment
from
    unnest(
        array[
            '2026-04-30 00:00+00', '2026-05-01 12:00+00', '2026-05-02 00:00+00', '2026-05-03 12:00+00',
            '2026-05-05 12:00+00', '2026-06-01 00:00+00'
        ]
    ) as moment;
select is(
    jsonb_build_array(
        later -> 'opening_balance_pence',
        (earlier -> 'total_credits_pence')::bigint + (later -> 'total_credits_pence')::bigint,
        (earlier -> 'total_debits_pence')::bigint + (later -> 'total_debits_pence')::bigint,
        jsonb_array_length(earlier -> 'entries') + jsonb_array_length(later -> 'entries')
    ),
    jsonb_build_array(earlier -> 'closing_balance_pence', 6000, 699, 5),
    format('two periods that meet at %s add up, with no entry in both or in neither', moment)
)
from cut;
select is_empty(
    $$
        select moment from cut, unnest(array[earlier, later]) as period
        where
            (period -> 'opening_balance_pence')::bigint + (period -> 'total_credits_pence')::bigint
            - (period -> 'total_debits_pence')::bigint <> (period -> 'closing_balance_pence')::bigint
    $$,
    'in each, opening balance plus credits less debits is the closing balance'
);

select pg_temp.answers(
    wallet.wallet_statement(pg_temp.org('nobody'), '-infinity', 'infinity'),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises(
    'select wallet.wallet_statement(null, now(), now())', 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    'select wallet.wallet_statement(pg_temp.org(''acme''), null, now())', 'WL001', 'from', 'a beginning is required'
);
select pg_temp.raises(
    'select wallet.wallet_statement(pg_temp.org(''acme''), now(), null)', 'WL001', 'to', 'an end is required'
);
select pg_temp.raises(
    'select wallet.wallet_statement(pg_temp.org(''acme''), now(), now() - interval ''1 second'')', 'WL006', 'to',
    'a period can''t end before it begins'
);

select * from finish();
rollback;
