begin;
select plan(13);
\ir ../support.sql

-- Invariant 1: the balance is the sum of the ledger, whatever was done to the wallet.
do $$
begin
    perform pg_temp.open_wallet('acme', 100, 500);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 100, 400);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 100, 400);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_2', 'v', 100, 100, 600);
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', 'pi_1');
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 5001, 'topup', 'pi_1');
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 300, 'did', 'x', 'did 1');
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 9999, 'did', 'x', 'did 2');
    perform wallet.adjust_wallet(pg_temp.org('acme'), 70, 'debit', 'x', 'ann', 'a1');
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 30, 'refund', p_idempotency_key => 'r1');
    perform wallet.post_transaction(
        pg_temp.org('acme'), 'topup_reversal', 'debit', 9000, 're_1', 'unlimited', 'test'
    );
    perform wallet.set_debt_limit(pg_temp.org('acme'), 0, 'ann');
end $$;

select is(pg_temp.balance(pg_temp.org('acme')), -4640::bigint, 'the balance is what came in less what went out');
select is(
    pg_temp.balance(pg_temp.org('acme')),
    (
        select sum(case direction when 'credit' then amount_pence else -amount_pence end)::bigint
        from wallet.credit_transactions
        where org_id = pg_temp.org('acme')
    ),
    'it is the sum of the ledger'
);
select results_eq(
    $$
        select entry_number from wallet.credit_transactions
        where org_id = pg_temp.org('acme')
        order by entry_number
    $$,
    'select generate_series(1, 7)::bigint',
    'entries are numbered without a gap'
);
select is_empty(
    $$
        select from wallet.credit_transactions as e
        left join wallet.credit_transactions as p on p.org_id = e.org_id and p.entry_number = e.entry_number - 1
        where
            e.balance_before_pence <> coalesce(p.balance_after_pence, 0)
            or e.balance_after_pence
            <> e.balance_before_pence + case e.direction when 'credit' then e.amount_pence else -e.amount_pence end
    $$,
    'each balance before is the previous balance after, each balance after the balance before plus or minus the amount'
);
select pg_temp.answers(
    to_jsonb(totals),
    (
        select
            jsonb_build_object(
                'balance_pence', wallet_balance_pence, 'total_topped_up_pence', total_topped_up_pence,
                'total_spent_pence', total_spent_pence, 'total_profit_pence', total_profit_pence,
                'total_calls', total_calls, 'last_entry_number', last_entry_number
            )
        from wallet.organizations
        where id = pg_temp.org('acme')
    ),
    'the kept totals are what the view ledger_totals adds up'
)
from wallet.ledger_totals as totals
where org_id = pg_temp.org('acme');
select pg_temp.books_are_right();

-- Who writes what, read off the functions' bodies.
create temporary table body as
select
    proname::text as name,
    regexp_replace(prosrc, '\s+', ' ', 'g') as source
from pg_proc
where pronamespace = 'wallet'::regnamespace;

select set_eq(
    $$select name from body where source ~* 'insert into (wallet\.)?credit_transactions'$$,
    array['post_transaction', 'deduct_call_credits_batch'],
    'post_transaction alone writes the ledger, and what does the same for many charges at once'
);
select set_eq(
    $$select name from body where source ~* '[^.]wallet_balance_pence =[^=]'$$,
    array['post_transaction', 'deduct_call_credits_batch', 'sync_user_credits'],
    'these two alone move a balance, and sync_user_credits alone mends one'
);
select is_empty(
    $$
        select name from body
        where source ~* 'insert into (wallet\.)?organizations' and source ~* 'insert into [^;]*wallet_balance_pence'
    $$,
    'a wallet is created with the default balance'
);
select set_eq(
    $$select name from body where source ~* 'insert into (wallet\.)?organizations'$$,
    array['create_wallet'],
    'create_wallet alone creates one'
);
select is_empty(
    $$select name from body where source ~* '(update|delete from|truncate) (only )?(wallet\.)?credit_transactions'$$,
    'no function changes or deletes an entry'
);
select is_empty(
    $$select name from body where name <> 'refuse_change' and source ~* 'execute\s'$$,
    'no function runs SQL that it puts together, which would hide from these tests'
);
select is_empty(
    $$
        select tgrelid::regclass, tgname from pg_trigger
        where
            tgrelid in (select oid from pg_class where relnamespace = 'wallet'::regnamespace)
            and not tgisinternal
            and tgfoid not in (
                'wallet.refuse_change'::regproc, 'wallet.check_recharge_amount'::regproc, 'wallet.notify_topup'::regproc
            )
    $$,
    'no trigger writes behind a function''s back; those that there are only refuse, or tell'
);

select * from finish();
rollback;
