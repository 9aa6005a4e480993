begin;
select plan(7);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 300, 400);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_2', 'v', 100, 300, 400);
end $$;

create function pg_temp.entry() returns wallet.credit_transactions
language sql stable
return (select e from wallet.credit_transactions as e where org_id = pg_temp.org('acme') and entry_number = 2);

select pg_temp.answers(
    wallet.answer_replay(pg_temp.entry(), 'call_deduction', 'debit', 400),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'entry_number', 2, 'transaction_id', id, 'balance_before', 1000,
        'balance_after', 600, 'client_charged_pence', 400, 'provider_cost_pence', 100, 'gross_profit_pence', 300,
        'debt_limit', 500, 'remaining_debt_capacity', 500
    ),
    'the same money again is answered with the original entry'
)
from wallet.credit_transactions
where org_id = pg_temp.org('acme') and entry_number = 2;
select pg_temp.answers(
    wallet.answer_replay(pg_temp.entry(), type, direction, amount),
    jsonb_build_object(
        'success', false, 'error', 'idempotency_conflict', 'idempotency_key', 'call:call_1',
        'original_type', 'call_deduction', 'original_direction', 'debit', 'original_amount_pence', 400,
        'attempted_type', type, 'attempted_direction', direction, 'attempted_amount_pence', amount
    ),
    format('%s %s %s under the key of a charge of 400 is a conflict', type, direction, amount)
)
from (
    values
    ('call_deduction', 'debit', 401),
    ('adjustment', 'debit', 400),
    ('adjustment', 'credit', 400)
) as other (type, direction, amount);
select ok(
    wallet.answer_replay(pg_temp.entry(), 'call_deduction', 'debit', 1) ->> 'message' like '%call:call_1%',
    'the sentence names the key'
);
do $$
begin
    update wallet.organizations set wallet_auto_recharge = true, wallet_low_balance_pence = 700
    where id = pg_temp.org('acme');
end $$;
select pg_temp.answers(
    wallet.answer_replay(pg_temp.entry(), 'call_deduction', 'debit', 400),
    '{"needs_recharge": true, "balance_after": 600}',
    'what follows from a balance is told by today''s settings'
);
select is(pg_temp.balance(pg_temp.org('acme')), 200::bigint, 'an answer moves nothing');

select * from finish();
rollback;
