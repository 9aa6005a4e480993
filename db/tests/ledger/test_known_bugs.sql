begin;
select plan(20);
\ir ../support.sql

-- Bugs that other wallets had, each shown not to be here.
create temporary table seen (moment text primary key, balance_pence bigint, entries bigint);
create function pg_temp.look(p_moment text, p_name text) returns void
language sql
as $$
    insert into seen values (p_moment, pg_temp.balance(pg_temp.org(p_name)), pg_temp.entries(pg_temp.org(p_name)))
$$;

-- A charge replayed with the same call id lowers the balance again although no second row is written.
do $$
begin
    perform pg_temp.open_wallet('replayed', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('replayed'), 'call_1', 'v', 100, 100, 200);
    perform pg_temp.look('charged', 'replayed');
    for v_replay in 1 .. 10 loop
        perform wallet.deduct_call_credits(pg_temp.org('replayed'), 'call_1', 'v', 100, 100, 200);
    end loop;
    perform pg_temp.look('charged ten times more', 'replayed');
end $$;
select is(balance_pence, 800::bigint, 'a charge: ' || moment || ', the balance is lowered once')
from seen
where moment like 'charged%';
select is(entries, 2::bigint, 'a charge: ' || moment || ', there is one row') from seen where moment like 'charged%';
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('replayed')), '{"total_calls": 1, "total_spent_pence": 200}',
    'a replayed charge isn''t counted again either'
);

-- The same top-up request twice is two top-ups; one settled twice within milliseconds.
do $$
begin
    perform pg_temp.open_wallet('topped up');
    for v_replay in 1 .. 10 loop
        perform wallet.add_wallet_credits(pg_temp.org('topped up'), 5000, 'topup', 'pi_1');
        perform wallet.add_wallet_credits(pg_temp.org('topped up'), 5000, 'topup', 'pi_1', 'ch_1');
        perform wallet.add_wallet_credits(pg_temp.org('topped up'), 5000, 'topup', p_idempotency_key => 'topup:pi_1');
    end loop;
end $$;
select is(pg_temp.balance(pg_temp.org('topped up')), 5000::bigint, 'thirty requests for one top-up are one top-up');
select is(pg_temp.entries(pg_temp.org('topped up')), 1::bigint, 'with one row');

-- A purchase sent again is paid for again.
do $$
begin
    perform pg_temp.open_wallet('bought', 1000);
    for v_replay in 1 .. 10 loop
        perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('bought'), 300, 'did', 'x', 'did 1');
    end loop;
end $$;
select is(pg_temp.balance(pg_temp.org('bought')), 700::bigint, 'ten requests for one purchase are one purchase');

-- Holds are ignored in checks.
do $$
begin
    perform pg_temp.open_wallet('held', 5000, 0);
    perform pg_temp.hold(pg_temp.org('held'), 4500);
    for v_charge in 1 .. 6 loop
        perform wallet.deduct_call_credits(pg_temp.org('held'), 'call_' || v_charge, 'v', 0, 0, 100);
    end loop;
end $$;
select is(
    pg_temp.balance(pg_temp.org('held')), 4500::bigint, 'of 5000 with 4500 held five charges of 100 pass, not six'
);

-- A spend passes the limit in many small steps.
do $$
begin
    perform pg_temp.open_wallet('nibbled', 100, 500);
    for v_charge in 1 .. 100 loop
        perform wallet.deduct_call_credits(pg_temp.org('nibbled'), 'call_' || v_charge, 'v', 0, 0, 7);
    end loop;
end $$;
select is(
    pg_temp.balance(pg_temp.org('nibbled')), -495::bigint, 'a hundred charges of 7 stop at the last within the limit'
);

-- A reversal that hits a check on the balance fails for ever.
do $$
begin
    perform pg_temp.open_wallet('reversed', 1000, 0);
    perform wallet.deduct_call_credits(pg_temp.org('reversed'), 'call_1', 'v', 0, 0, 900);
end $$;
select pg_temp.answers(
    wallet.post_transaction(
        pg_temp.org('reversed'), 'topup_reversal', 'debit', 1000, 're_1', 'unlimited', 'stripe'
    ),
    '{"success": true, "duplicate": false, "balance_after": -900, "in_debt": true}',
    'money that left through a refund is taken even where it makes a debt beyond the limit'
);
select pg_temp.answers(
    wallet.post_transaction(
        pg_temp.org('reversed'), 'topup_reversal', 'debit', 1000, 're_1', 'unlimited', 'stripe'
    ),
    '{"success": true, "duplicate": true, "balance_after": -900}',
    'once'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('reversed'), 'call_2', 'v', 0, 0, 1),
    '{"success": false, "error": "debt_limit_exceeded", "current_balance": -900, "amount_over_limit": 901}',
    'nothing more can be spent then'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('reversed'), 2000, 'topup', 'pi_2'),
    '{"success": true, "balance_after": 1100}',
    'and a top-up pays that debt like any other'
);

-- Idempotency keys expire or change scope.
do $$
begin
    perform pg_temp.open_wallet('old', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('old'), 'call_1', 'v', 0, 0, 100);
    alter table wallet.credit_transactions disable trigger refuse_row_change;
    update wallet.credit_transactions set created_at = created_at - interval '5 years'
    where org_id = pg_temp.org('old');
    alter table wallet.credit_transactions enable always trigger refuse_row_change;
end $$;
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('old'), 'call_1', 'v', 0, 0, 100),
    '{"success": true, "duplicate": true, "balance_after": 900}',
    'a key still stands for its charge after five years'
);
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('old'), 100, 'debit', 'x', 'ann', 'call:call_1'),
    '{"success": false, "error": "idempotency_conflict"}',
    'and in every function'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('bought'), 'call_1', 'v', 0, 0, 100),
    '{"success": true, "duplicate": false}',
    'but in no other wallet'
);
do $$
begin
    alter table wallet.credit_transactions disable trigger refuse_row_change;
    update wallet.credit_transactions set created_at = created_at + interval '5 years'
    where org_id = pg_temp.org('old');
    alter table wallet.credit_transactions enable always trigger refuse_row_change;
end $$;

-- A post answers success with an empty body.
select ok(
    answer ? 'transaction_id' and answer ? 'balance_before' and answer ? 'balance_after',
    format('%s is answered with the transaction and its balances', what)
)
from (
    values
    ('a first charge', wallet.deduct_call_credits(pg_temp.org('bought'), 'call_2', 'v', 0, 0, 100)),
    ('a replayed one', wallet.deduct_call_credits(pg_temp.org('bought'), 'call_1', 'v', 0, 0, 100))
) as said (what, answer);
select pg_temp.books_are_right();

select * from finish();
rollback;
