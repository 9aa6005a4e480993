begin;
select plan(8);
\ir ../support.sql

-- The refusal of an amount by a wallet that holds this balance, of which this is reserved and owed, with a limit of
-- 500.
create function pg_temp.refusal(
    p_overdraft text, p_amount_pence bigint, p_balance_pence bigint, p_reserved_pence bigint default 0,
    p_owed_pence bigint default 0
) returns jsonb
language plpgsql
as $$
begin
    perform wallet.create_wallet(pg_temp.org('acme'));
    update wallet.organizations
    set reserved_pence = p_reserved_pence, owed_pence = p_owed_pence
    where id = pg_temp.org('acme');
    return wallet.refuse_overdraft(pg_temp.org('acme'), p_amount_pence, p_overdraft, p_balance_pence);
end;
$$;

select pg_temp.answers(
    pg_temp.refusal('none', 250, 100),
    '{
        "success": false, "error": "insufficient_balance", "balance_pence": 100, "required_pence": 250,
        "shortfall_pence": 150
    }',
    'an asset lacks what the balance lacks, whatever the debt limit'
);
select pg_temp.answers(
    pg_temp.refusal('none', 250, 100, 40),
    '{"balance_pence": 100, "required_pence": 250, "shortfall_pence": 190}',
    'and what is reserved for others'
);
select ok(
    pg_temp.refusal('none', 250, 100, 40) ->> 'message' like '%£2.50%£0.60%',
    'the sentence names the price and what is there to spend'
);
select pg_temp.answers(
    pg_temp.refusal('debt_limit', 700, 100),
    '{
        "success": false, "error": "debt_limit_exceeded", "current_balance": 100, "debt_limit": 500,
        "attempted_deduction": 700, "new_balance_would_be": -600, "amount_over_limit": 100
    }',
    'a spend lacks what balance and debt limit lack'
);
select pg_temp.answers(
    pg_temp.refusal('debt_limit', 700, 100, 40),
    '{"current_balance": 100, "new_balance_would_be": -600, "amount_over_limit": 140}',
    'and what is reserved for others'
);
select ok(
    pg_temp.refusal('debt_limit', 700, 100) ->> 'message' like '%£7.00%£1.00%£5.00%',
    'the sentence names the price, the balance and the limit'
);
select pg_temp.answers(
    pg_temp.refusal('debt_limit', 700, 100, 40, 60),
    '{"reserved_pence": 40, "owed_pence": 60, "amount_over_limit": 200}',
    'and what calls owe'
);
select pg_temp.answers(
    pg_temp.refusal('debt_limit', 9223372036854775807, -9223372036854775807),
    '{"new_balance_would_be": -18446744073709551614, "amount_over_limit": 18446744073709551114}',
    'numbers beyond bigint are shown as they are'
);

select * from finish();
rollback;
