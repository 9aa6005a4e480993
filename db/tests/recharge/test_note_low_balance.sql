begin;
select plan(29);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

-- Spending below the threshold asks for a recharge, in the same transaction.
do $$ begin perform pg_temp.rechargeable('acme', 600); end $$;
select pg_temp.answers(
    pg_temp.spend('acme', 100), '{"balance_after": 500, "needs_recharge": false}', 'at the threshold'
);
select is(pg_temp.attempts('acme'), 'none', 'nothing is asked for');
select pg_temp.answers(pg_temp.spend('acme', 1), '{"balance_after": 499, "needs_recharge": true}', 'below it');
select is(pg_temp.attempts('acme'), 'requested', 'a recharge is');
select is((pg_temp.attempt('acme')).balance_pence, 499::bigint, 'with the balance that asked for it');
select is(
    payload,
    '{"message": "The balance is £4.99, below £5.00.", "balance_pence": 499, "low_balance_pence": 500}',
    'and the low balance is told'
)
from wallet.outbox_messages
where org_id = pg_temp.org('acme') and topic = 'low_balance';
do $$ begin perform pg_temp.spend('acme', 1) from generate_series(1, 50); end $$;
select is(pg_temp.attempts('acme'), 'requested', 'spending on asks for no second one');
select is(pg_temp.messages('acme', 'low_balance'), 1::bigint, 'nor is the low balance told again');

-- Undone with the spending.
do $$
begin
    perform pg_temp.rechargeable('undone', 600);
    begin
        perform pg_temp.spend('undone');
        raise exception using errcode = 'WLXXX';
    exception when sqlstate 'WLXXX' then
        null;
    end;
end $$;
select is(pg_temp.attempts('undone'), 'none', 'what is rolled back has asked for nothing');
select is(pg_temp.messages('undone', 'low_balance'), 0::bigint, 'and told nothing');

-- A refused charge wants to spend, too.
do $$
begin
    perform pg_temp.rechargeable('refused', 0);
    update wallet.recharge_attempts set state = 'canceled', closed_at = now() where org_id = pg_temp.org('refused');
    perform pg_temp.later('refused', '1 hour');
end $$;
select pg_temp.answers(
    pg_temp.spend('refused', 501), '{"success": false, "error": "debt_limit_exceeded"}',
    'a charge beyond the debt limit'
);
select is(pg_temp.attempts('refused'), 'canceled requested', 'asks for a recharge all the same');
do $$
begin
    perform pg_temp.rechargeable('asset', 600);
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('asset'), 601, 'did', 'A number', 'did 1');
end $$;
select is(
    pg_temp.attempts('asset'), 'none',
    'but not where the balance isn''t low: the purchase is too large, not the balance too small'
);

-- Whatever is charged; not what is corrected or taken back.
create function pg_temp.debited(p_type text, p_overdraft text) returns text
language plpgsql
as $$
begin
    perform pg_temp.rechargeable(p_type, 600);
    perform wallet.post_transaction(
        pg_temp.org(p_type), p_type, 'debit', 200, 'debit', p_overdraft, 'test', 'x',
        p_call_id => case when p_type = 'call_deduction' then 'call' end,
        p_provider_cost_pence => case when p_type = 'call_deduction' then 1 end,
        p_markup_percent => case when p_type = 'call_deduction' then 1 end
    );
    return format(
        'attempts %s, low balance told %s times', pg_temp.attempts(p_type), pg_temp.messages(p_type, 'low_balance')
    );
end;
$$;
select is(
    pg_temp.debited(type, overdraft), format('attempts %s, low balance told 1 times', attempts),
    format('%s: %s', type, attempts)
)
from (
    values
    ('call_deduction', 'debt_limit', 'requested'), ('sms_deduction', 'debt_limit', 'requested'),
    ('knowledge_base_deduction', 'debt_limit', 'requested'), ('phone_provisioning', 'none', 'requested'),
    ('phone_number', 'none', 'requested'), ('did', 'none', 'requested'), ('license', 'none', 'requested'),
    ('adjustment', 'unlimited', 'none'), ('topup_reversal', 'unlimited', 'none')
) as debit (type, overdraft, attempts);

do $$
begin
    perform pg_temp.pay('reversed');
    perform wallet.attach_stripe_customer(pg_temp.org('reversed'), 'cus_1');
    perform wallet.set_auto_recharge(pg_temp.org('reversed'), true, 'ann', 500, 5000);
    perform pg_temp.tell('refund.created', pg_temp.refund('reversed', '{"amount": 5000}'));
end $$;
select is(pg_temp.balance(pg_temp.org('reversed')), 0::bigint, 'a refund may empty a wallet');
select is(pg_temp.attempts('reversed'), 'none', 'which is no reason to charge its card');
do $$ begin perform pg_temp.spend('reversed', 1); end $$;
select is(pg_temp.attempts('reversed'), 'requested', 'the next spending is');

-- Replays and frozen wallets.
do $$
begin
    perform pg_temp.rechargeable('replayed', 600);
    perform wallet.deduct_call_credits(pg_temp.org('replayed'), 'call', null, 1, 1, 200);
    perform pg_temp.recharge('replayed', 'declined');
    perform pg_temp.later('replayed', '1 hour');
    perform wallet.deduct_call_credits(pg_temp.org('replayed'), 'call', null, 1, 1, 200);
end $$;
select is(pg_temp.attempts('replayed'), 'declined', 'a charge that is told again spends nothing, and asks for nothing');
do $$
begin
    perform pg_temp.rechargeable('frozen', 600);
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
    perform pg_temp.spend('frozen');
end $$;
select is(pg_temp.attempts('frozen'), 'none', 'nor does a frozen wallet, that may spend on');

-- Without automatic recharge the balance is told all the same.
do $$
begin
    perform pg_temp.open_wallet('manual', 600);
    perform pg_temp.spend('manual');
end $$;
select is(
    pg_temp.messages('manual', 'low_balance'), 1::bigint, 'a wallet without automatic recharge tells its low balance'
);

select pg_temp.books_are_right();

select * from finish();
rollback;
