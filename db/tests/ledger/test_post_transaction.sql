begin;
select plan(48);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme', 0, 500); end $$;

create temporary table posting as
select wallet.post_transaction(
    p_org_id => pg_temp.org('acme'), p_type => 'topup', p_direction => 'credit', p_amount_pence => 1000,
    p_idempotency_key => 'key', p_overdraft => null, p_created_by => 'test', p_description => 'first',
    p_stripe_payment_intent_id => 'pi_1', p_stripe_charge_id => 'ch_1'
) as answer;

select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "entry_number": 1, "amount_pence": 1000, "balance_before": 0,
        "balance_after": 1000
    }',
    'the first entry of a wallet is number 1 on a balance of 0'
)
from posting;
select pg_temp.answers(
    to_jsonb(o),
    jsonb_build_object(
        'wallet_balance_pence', e.balance_after_pence, 'last_entry_number', e.entry_number,
        'last_entry_at', e.created_at, 'last_entry_hash', e.entry_hash, 'updated_at', e.created_at
    ),
    'the organization''s row holds the balance and the end of the chain'
)
from wallet.organizations as o
inner join wallet.credit_transactions as e on e.org_id = o.id
where o.id = pg_temp.org('acme');

-- Every entry stands on the one before it.
do $$
begin
    perform wallet.post_transaction(pg_temp.org('acme'), 'did', 'debit', 300, 'k2', 'none', 'test');
    perform wallet.post_transaction(pg_temp.org('acme'), 'did', 'debit', 300, 'k2', 'none', 'test');
    perform wallet.post_transaction(pg_temp.org('acme'), 'did', 'debit', 9999, 'k3', 'none', 'test');
    perform wallet.post_transaction(pg_temp.org('acme'), 'bonus', 'credit', 50, 'k4', null, 'test');
    perform wallet.post_transaction(
        pg_temp.org('acme'), 'call_deduction', 'debit', 400, 'call:c', 'debt_limit', 'test', p_call_id => 'c',
        p_provider_cost_pence => 100
    );
end $$;
select results_eq(
    $$
        select entry_number, balance_before_pence, balance_after_pence from wallet.credit_transactions
        where org_id = pg_temp.org('acme')
        order by entry_number
    $$,
    $$
        values (1::bigint, 0::bigint, 1000::bigint), (2, 1000, 700), (3, 700, 750), (4, 750, 350)
    $$,
    'entries are numbered without a gap, whatever was replayed or refused between, and their balances meet'
);
select is_empty(
    $$
        select from wallet.credit_transactions as e
        inner join wallet.credit_transactions as n on n.org_id = e.org_id and n.entry_number = e.entry_number + 1
        where n.created_at < e.created_at
    $$,
    'no entry is older than the one before it'
);
select isnt(
    (select count(distinct created_at) from wallet.credit_transactions where org_id = pg_temp.org('acme')), 1::bigint,
    'entries of one transaction have times of their own'
);
select pg_temp.answers(
    to_jsonb(o),
    '{
        "wallet_balance_pence": 350, "total_topped_up_pence": 1000, "total_spent_pence": 700,
        "total_profit_pence": 300, "total_calls": 1, "last_entry_number": 4
    }',
    'the totals are kept with each entry'
)
from wallet.organizations as o
where id = pg_temp.org('acme');

do $$
begin
    update wallet.organizations set last_entry_at = now() + interval '1 hour' where id = pg_temp.org('acme');
    perform wallet.post_transaction(pg_temp.org('acme'), 'bonus', 'credit', 1, 'k6', null, 'test');
end $$;
select is(
    (select created_at from wallet.credit_transactions where org_id = pg_temp.org('acme') and entry_number = 5),
    now() + interval '1 hour',
    'a clock that was turned back doesn''t make an entry older than the one before it'
);

-- One entry per key.
create temporary table before_replay as select pg_temp.everything() as state;

select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('acme'), 'topup', 'credit', 1000, 'key', null, 'other', 'other'),
    (answer - array['debt_limit', 'remaining_debt_capacity', 'in_debt', 'needs_recharge']) || '{"duplicate": true}',
    'a replay answers the original entry'
)
from posting;
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('acme'), type, direction, amount, 'key', 'unlimited', 'test'),
    jsonb_build_object(
        'success', false, 'error', 'idempotency_conflict', 'transaction_id', answer -> 'transaction_id',
        'original_type', 'topup', 'original_direction', 'credit', 'original_amount_pence', 1000,
        'attempted_type', type, 'attempted_direction', direction, 'attempted_amount_pence', amount
    ),
    format('%s %s %s under the key of a topup credit of 1000 is a conflict', type, direction, amount)
)
from
    posting,
    (
        values
        ('topup', 'credit', 999),
        ('bonus', 'credit', 1000),
        ('topup_reversal', 'debit', 1000)
    ) as other (type, direction, amount);
select is(pg_temp.everything(), state, 'neither replays nor conflicts write anything') from before_replay;

do $$
begin
    alter table wallet.credit_transactions disable trigger refuse_row_change;
    update wallet.credit_transactions set created_at = created_at - interval '10 years'
    where org_id = pg_temp.org('acme') and idempotency_key = 'key';
    alter table wallet.credit_transactions enable always trigger refuse_row_change;
end $$;
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('acme'), 'topup', 'credit', 1000, 'key', null, 'test'),
    '{"success": true, "duplicate": true}',
    'a key does not expire, not in ten years'
);
do $$
begin
    alter table wallet.credit_transactions disable trigger refuse_row_change;
    update wallet.credit_transactions set created_at = created_at + interval '10 years'
    where org_id = pg_temp.org('acme') and idempotency_key = 'key';
    alter table wallet.credit_transactions enable always trigger refuse_row_change;
end $$;

-- How far a debit may go.
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('acme'), 'did', 'debit', 352, 'k7', 'none', 'test'),
    '{"success": false, "error": "insufficient_balance", "shortfall_pence": 1}',
    'none: not below 0'
);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('acme'), 'did', 'debit', 852, 'k7', 'debt_limit', 'test'),
    '{"success": false, "error": "debt_limit_exceeded", "amount_over_limit": 1}',
    'debt_limit: not below minus the limit'
);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('acme'), 'topup_reversal', 'debit', 10000, 'k8', 'unlimited', 'test'),
    '{"success": true, "balance_after": -9649, "remaining_debt_capacity": 0, "in_debt": true}',
    'unlimited: money that is already gone is taken, below any limit'
);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('acme'), 'topup_reversal', 'debit', 1, 'k9', 'unlimited', 'test'),
    '{"success": true, "balance_after": -9650}',
    'and again'
);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('acme'), 'topup', 'credit', 150, 'k10', null, 'test'),
    '{"success": true, "balance_after": -9500}',
    'a wallet below its limit takes money in'
);
select throws_ok(
    $$select wallet.post_transaction(pg_temp.org('acme'), 'did', 'debit', 1, 'k11', null, 'test')$$,
    '20000', null,
    'a debit that doesn''t say how far it may go is an error of the caller'
);
select is_empty(
    $$select from wallet.credit_transactions where org_id = pg_temp.org('acme') and idempotency_key = 'k11'$$,
    'and writes nothing'
);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('nobody'), 'bonus', 'credit', 1, 'k', null, 'test'),
    jsonb_build_object('success', false, 'error', 'organization_not_found', 'org_id', pg_temp.org('nobody')),
    'an unknown organization is refused'
);

-- The range of bigint.
select pg_temp.answers(
    wallet.post_transaction(
        pg_temp.open_wallet('deep'), 'topup_reversal', 'debit', 9223372036854775807, 'k', 'unlimited', 'test'
    ),
    '{"success": true, "balance_after": -9223372036854775807}',
    'a balance may be as low as bigint goes'
);
select pg_temp.raises(
    $$select wallet.post_transaction(pg_temp.org('deep'), 'topup_reversal', 'debit', 2, 'k2', 'unlimited', 'test')$$,
    'WL009', 'amount', 'and no lower'
);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('deep'), 'bonus', 'credit', 9223372036854775807, 'k3', null, 'test'),
    '{"success": true, "balance_after": 0}',
    'a credit of the largest bigint lifts it to 0'
);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('deep'), 'bonus', 'credit', 9223372036854775807, 'k4', null, 'test'),
    '{"success": true, "balance_after": 9223372036854775807}',
    'another one to as high as bigint goes'
);
select pg_temp.raises(
    $$select wallet.post_transaction(pg_temp.org('deep'), 'bonus', 'credit', 1, 'k5', null, 'test')$$,
    'WL009', 'amount', 'and no higher'
);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('deep'), 'did', 'debit', 1, 'k6', 'none', 'test'),
    '{"success": true, "balance_after": 9223372036854775806}',
    'the highest balance can be spent from'
);

-- A wallet may be frozen for spending: what anybody buys is refused, what is corrected or taken back isn't.
do $$
begin
    perform pg_temp.open_wallet('frozen', 1000);
    perform wallet.post_transaction(pg_temp.org('frozen'), 'did', 'debit', 10, 'before', 'none', 'test');
    perform wallet.configure_freeze('operator', true, true, 'test');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
end $$;
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('frozen'), type, 'debit', 10, 'spent on ' || type, overdraft, 'test'),
    '{"success": false, "error": "wallet_frozen", "refused": "spending"}',
    format('a frozen wallet refuses %s', type)
)
from (
    values ('call_deduction', 'debt_limit'), ('sms_deduction', 'debt_limit'), ('did', 'none'), ('license', 'none')
) as spending (type, overdraft);
select pg_temp.answers(
    wallet.post_transaction(
        pg_temp.org('frozen'), type, direction, 10, concat_ws(' ', type, direction), 'debt_limit', 'test', 'x'
    ),
    '{"success": true}',
    format('but no %s %s', type, direction)
)
from (
    values
    ('adjustment', 'debit'), ('adjustment', 'credit'), ('topup_reversal', 'debit'), ('topup_reversal', 'credit'),
    ('topup', 'credit')
) as movement (type, direction);
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('frozen'), 'did', 'debit', 10, 'before', 'none', 'test'),
    '{"success": true, "duplicate": true}',
    'what was bought before is answered as before'
);
do $$ begin perform wallet.unfreeze_wallet(pg_temp.org('frozen'), 'All is well', 'ann'); end $$;
select pg_temp.answers(
    wallet.post_transaction(pg_temp.org('frozen'), 'did', 'debit', 10, 'after', 'none', 'test'), '{"success": true}',
    'unfrozen, it spends again'
);

-- Its callers say which of their parameters is wrong; what they let through is stopped by the table.
create temporary table before_errors as select pg_temp.everything() as state;

select throws_ok(
    format('select wallet.post_transaction(pg_temp.org(%L), %s)', 'acme', arguments), sqlstate, null,
    format('the table refuses %s', arguments)
)
from (
    values
    ('''bonus'', ''credit'', null, ''k'', null, ''test''', '23502'),
    ('''bonus'', ''credit'', 0, ''k'', null, ''test''', '23514'),
    ('''bonus'', ''credit'', -1, ''k'', null, ''test''', '23514'),
    ('''gift'', ''credit'', 1, ''k'', null, ''test''', '23514'),
    ('''bonus'', ''debit'', 1, ''k'', ''unlimited'', ''test''', '23514'),
    ('''bonus'', ''credit'', 1, null, null, ''test''', '23502'),
    ('''bonus'', ''credit'', 1, '' '', null, ''test''', '23514'),
    ('''bonus'', ''credit'', 1, ''k'', null, null', '23502')
) as wrong (arguments, sqlstate);
select is(pg_temp.everything(), state, 'and nothing is written') from before_errors;

select pg_temp.books_are_right();

select * from finish();
rollback;
