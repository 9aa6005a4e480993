begin;
select plan(32);
\ir ../support.sql
\ir ../reservations/reservations.sql

-- Three calls that owe: 500, then 200 and 400 of which nothing was charged.
create function pg_temp.open_debtor(p_name text) returns void
language plpgsql
as $$
begin
    perform pg_temp.open_caller(p_name, 0, 500);
    perform pg_temp.bill(p_name, 'b first', 300);
    perform pg_temp.bill(p_name, 'c second', 60);
    perform pg_temp.bill(p_name, 'a third', 120);
    update wallet.calls
    set created_at = now() - case call_id when 'b first' then interval '3 h' when 'c second' then '2 h' else '1 h' end
    where org_id = pg_temp.org(p_name);
end;
$$;

do $$ begin perform pg_temp.open_debtor('acme'); end $$;
select is(pg_temp.money('acme'), '-500 0 1100', 'three calls owe 1100');
create temporary table before_nothing as select pg_temp.everything() as state;
do $$ begin perform wallet.collect_owed(pg_temp.org('acme')); end $$;
select is(pg_temp.everything(), state, 'without room above the debt limit nothing is collected') from before_nothing;

do $$ begin perform pg_temp.pay_in('acme', 'one', 550); end $$;
select is(pg_temp.money('acme'), '-500 0 550', 'what a top-up brings is collected');
select is(
    pg_temp.charges('acme', 'b first') || ', ' || pg_temp.charges('acme', 'c second') || ', '
    || pg_temp.charges('acme', 'a third'),
    'call:b first=500 call_owed:b first:1=500, call:c second=50, none',
    'from the oldest call first'
);
select pg_temp.answers(
    pg_temp.call('acme', 'c second'),
    jsonb_build_object(
        'cost_pence', 200, 'charged_pence', 50, 'owed_pence', 150, 'transaction_id',
        (select id from wallet.credit_transactions where idempotency_key = 'call:c second')
    ),
    'a call of which nothing had been charged now has an entry'
);

-- Every kind of credit, and a higher limit.
do $$
begin
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 10, 'bonus', p_idempotency_key => 'bonus');
end $$;
select is(pg_temp.money('acme'), '-500 0 540', 'a bonus is collected as well');
do $$
begin
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 10, 'refund', p_idempotency_key => 'refund');
end $$;
select is(pg_temp.money('acme'), '-500 0 530', 'and a refund');
do $$ begin perform wallet.adjust_wallet(pg_temp.org('acme'), 10, 'credit', 'sorry', 'ann', 'adjust'); end $$;
select is(pg_temp.money('acme'), '-500 0 520', 'and an adjustment');
do $$
begin
    perform wallet.post_transaction(
        pg_temp.org('acme'), 'topup_reversal', 'credit', 10, 'restored', 'unlimited', 'stripe'
    );
end $$;
select is(pg_temp.money('acme'), '-500 0 510', 'and money that a dispute gives back');
do $$
begin
    perform wallet.set_debt_limit(pg_temp.org('acme'), 600, 'ann');
    perform pg_temp.spend('acme', 'other', 100);
end $$;
select is(
    pg_temp.money('acme') || ' ' || pg_temp.charges('acme', 'other'), '-600 0 410 none',
    'where a limit was raised the next spend finds the room taken'
);
do $$
begin
    perform wallet.set_debt_limit(pg_temp.org('acme'), 700, 'ann');
    perform wallet.deduct_call_credits_batch(
        jsonb_build_array(
            jsonb_build_object(
                'org_id', pg_temp.org('acme'), 'call_id', 'other', 'provider_cost_pence', 0, 'client_charged_pence', 100
            )
        )
    );
end $$;
select is(
    pg_temp.money('acme') || ' ' || pg_temp.charges('acme', 'other'), '-700 0 310 none', 'and so does the next batch'
);
do $$
begin
    perform wallet.set_debt_limit(pg_temp.org('acme'), 800, 'ann');
    perform pg_temp.bill('acme', 'fourth', 30);
end $$;
select is(
    pg_temp.money('acme') || ' ' || pg_temp.charges('acme', 'fourth'), '-800 0 310 none', 'and the next call'
);
do $$ begin perform pg_temp.pay_in('acme', 'two', 1110); end $$;
select is(pg_temp.money('acme'), '0 0 0', 'in the end nothing is owed');
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')), '{"total_calls": 4, "total_spent_pence": 1700}',
    'four calls were charged, in eight entries and more'
);
select is(
    (select count(*) from wallet.calls where org_id = pg_temp.org('acme') and owed_pence = 0), 4::bigint, 'all are paid'
);
create temporary table before_again as select pg_temp.everything() as state;
do $$ begin perform wallet.collect_owed(pg_temp.org('acme')); end $$;
select is(pg_temp.everything(), state, 'and nothing is collected twice') from before_again;

-- What is held for a call under way isn't taken for one that is over, unless its time has passed.
do $$
begin
    perform pg_temp.open_caller('held', 1000, 0);
    perform pg_temp.reserve('held', 'under way');
    perform pg_temp.bill('held', 'over', 150);
    perform pg_temp.pay_in('held', 'one', 100);
end $$;
select is(pg_temp.money('held'), '1000 1000 400', 'a hold is respected');
do $$
begin
    perform pg_temp.later('held', 'under way');
    perform pg_temp.pay_in('held', 'two', 1);
end $$;
select is(pg_temp.money('held'), '601 0 0', 'as long as it lives');

-- A collection is an entry like that of the call: it says whose it is.
select pg_temp.answers(
    to_jsonb(e),
    '{"type": "call_deduction", "direction": "debit", "call_id": "b first", "amount_pence": 500}',
    'a collection names its call'
)
from wallet.credit_transactions as e
where org_id = pg_temp.org('acme') and idempotency_key = 'call_owed:b first:1';

-- The cost of the call and its profit are told once, not with each collection.
do $$
begin
    perform pg_temp.open_caller('profit', 0, 500);
    perform wallet.bill_call(pg_temp.org('profit'), 'call_1', 300, null, 400);
    perform pg_temp.pay_in('profit', 'one', 100);
    perform pg_temp.pay_in('profit', 'two', 1000);
end $$;
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('profit')),
    '{"total_spent_pence": 1000, "total_profit_pence": 600, "total_calls": 1, "balance_pence": 100}',
    'a call of 1000 that cost us 400 earned 600, however it was paid'
);
do $$
begin
    perform pg_temp.open_caller('profit later', -500, 500);
    perform wallet.bill_call(pg_temp.org('profit later'), 'call_1', 300, null, 400);
    perform pg_temp.pay_in('profit later', 'one', 100);
    perform pg_temp.pay_in('profit later', 'two', 1000);
end $$;
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('profit later')),
    '{"total_spent_pence": 1000, "total_profit_pence": 600, "total_calls": 1, "balance_pence": -400}',
    'also if nothing of it could be charged at first'
);

-- What can't be collected is still owed, and nobody else can have it.
do $$
begin
    perform pg_temp.open_caller('taken', 0, 0);
    perform pg_temp.bill('taken', 'call_1', 60);
    perform wallet.adjust_wallet(pg_temp.org('taken'), 1000, 'credit', 'a key in the way', 'ann', 'call:call_1');
end $$;
select is(pg_temp.money('taken'), '1000 0 200', 'where somebody has used the key of its entry, a call goes on owing');
select pg_temp.answers(
    pg_temp.buy('taken', 'did', 801), '{"error": "insufficient_balance", "owed_pence": 200, "shortfall_pence": 1}',
    'an asset can''t be paid with that'
);
select pg_temp.answers(
    pg_temp.spend('taken', 'other', 801), '{"error": "debt_limit_exceeded", "owed_pence": 200, "amount_over_limit": 1}',
    'nor can a spend'
);
select pg_temp.answers(pg_temp.spend('taken', 'other', 800), '{"success": true}', 'the rest is free');
do $$
begin
    perform pg_temp.open_caller('frozen', 1000, 0);
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
    perform pg_temp.bill('frozen', 'call_1', 60);
    perform pg_temp.pay_in('frozen', 'one', 10);
end $$;
select is(pg_temp.money('frozen'), '1010 0 200', 'while a wallet is frozen for spending nothing is collected');
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('frozen'), 811, 'debit', 'a reason', 'ann', 'adjust'),
    '{"error": "debt_limit_exceeded", "amount_over_limit": 1}', 'and an operator can''t take it by accident'
);
do $$
begin
    perform wallet.unfreeze_wallet(pg_temp.org('frozen'), 'all is well', 'ann');
    perform pg_temp.pay_in('frozen', 'two', 1);
end $$;
select is(pg_temp.money('frozen'), '811 0 0', 'afterwards it is');

-- A cost that is only known after the first entry is told by none, rather than by half of them.
do $$
begin
    perform pg_temp.open_caller('told late', 0, 500);
    perform pg_temp.bill('told late', 'call_1', 300);
    update wallet.calls set provider_cost_pence = 400 where org_id = pg_temp.org('told late');
    perform pg_temp.pay_in('told late', 'one', 2000);
end $$;
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('told late')),
    '{"total_spent_pence": 1000, "total_profit_pence": 0, "total_calls": 1}',
    'a profit that isn''t known is not guessed'
);

select is(
    pg_temp.sqlstate_of($$select wallet.collect_owed(pg_temp.org('nobody'))$$), null,
    'an organization that doesn''t exist owes nothing'
);
select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
