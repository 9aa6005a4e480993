begin;
select plan(6);
\ir ../support.sql

create function pg_temp.answer(
    p_changes jsonb default '{}',
    p_duplicate boolean default false,
    p_auto_recharge boolean default false
) returns jsonb
language sql
return wallet.answer_entry(
    jsonb_populate_record(
        null::wallet.credit_transactions,
        '{
            "id": "2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11", "entry_number": 7, "amount_pence": 100,
            "balance_before_pence": 600, "balance_after_pence": 500
        }' || p_changes
    ),
    p_duplicate,
    p_debt_limit_pence => 500,
    p_auto_recharge => p_auto_recharge,
    p_low_balance_pence => 500
);

select is(
    pg_temp.answer(),
    '{
        "success": true, "duplicate": false, "transaction_id": "2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11",
        "entry_number": 7, "amount_pence": 100, "balance_before": 600, "balance_after": 500,
        "debt_limit": 500, "remaining_debt_capacity": 500, "in_debt": false, "needs_recharge": false
    }'::jsonb,
    'the answer about an entry names it and says where it left the wallet'
);
select pg_temp.answers(pg_temp.answer('{}', true), '{"duplicate": true}', 'a replay is marked');
select pg_temp.answers(
    pg_temp.answer('{"balance_after_pence": -200}'),
    '{"in_debt": true, "remaining_debt_capacity": 300}',
    'debt is taken off the capacity'
);
select pg_temp.answers(
    pg_temp.answer('{"balance_after_pence": -9000}'),
    '{"in_debt": true, "remaining_debt_capacity": 0}',
    'which is never negative'
);
select pg_temp.answers(
    pg_temp.answer('{"client_charged_pence": 100, "provider_cost_pence": 40, "gross_profit_pence": 60}'),
    '{"client_charged_pence": 100, "provider_cost_pence": 40, "gross_profit_pence": 60}',
    'a call shows its price, cost and profit'
);
select is(
    jsonb_build_array(
        pg_temp.answer('{"balance_after_pence": 499}', false, false) -> 'needs_recharge',
        pg_temp.answer('{"balance_after_pence": 499}', false, true) -> 'needs_recharge',
        pg_temp.answer('{"balance_after_pence": 500}', false, true) -> 'needs_recharge'
    ),
    '[false, true, false]'::jsonb,
    'a wallet needs a recharge where that is on and the balance below the threshold'
);

select * from finish();
rollback;
