begin;
select plan(29);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme', 100, 500); end $$;

create temporary table adjustment as
select wallet.adjust_wallet(
    pg_temp.org('acme'), 250, 'credit', 'Outage of 3 May', 'ann@example.com', 'outage'
) as answer;

select pg_temp.answers(
    answer,
    '{"success": true, "duplicate": false, "balance_before": 100, "balance_after": 350}',
    'a credit by hand adds to the balance'
)
from adjustment;
select pg_temp.answers(
    to_jsonb(entry),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'adjustment', 'direction', 'credit', 'amount_pence', 250,
        'idempotency_key', 'outage', 'description', 'Outage of 3 May', 'created_by', 'ann@example.com'
    ),
    'the entry holds the reason and the person who answers for it'
)
from adjustment, wallet.credit_transactions as entry
where entry.org_id = pg_temp.org('acme') and entry.idempotency_key = 'outage';
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 50, 'debit', 'Too much', 'bob', 'correction'),
    '{"success": true, "duplicate": false, "balance_before": 350, "balance_after": 300}',
    'a debit by hand takes from it'
);

-- Replays and refusals.
create temporary table before_replay as select pg_temp.everything() as state;

select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 250, 'credit', 'another reason', 'bob', 'outage'),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'transaction_id', answer -> 'transaction_id',
        'balance_before', 100, 'balance_after', 350
    ),
    'the same adjustment again is answered with the original one'
)
from adjustment;
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 251, 'credit', 'x', 'bob', 'outage'),
    '{
        "success": false, "error": "idempotency_conflict",
        "original_amount_pence": 250, "attempted_amount_pence": 251
    }',
    'the same key with another amount is a conflict that shows both'
);
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 250, 'debit', 'x', 'bob', 'outage'),
    '{
        "success": false, "error": "idempotency_conflict",
        "original_direction": "credit", "attempted_direction": "debit"
    }',
    'the same key in the other direction is a conflict'
);
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 801, 'debit', 'x', 'bob', 'too much'),
    '{
        "success": false, "error": "debt_limit_exceeded", "current_balance": 300, "debt_limit": 500,
        "attempted_deduction": 801, "new_balance_would_be": -501, "amount_over_limit": 1
    }',
    'a debit by hand can''t pass the debt limit either'
);
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('nobody'), 1, 'credit', 'x', 'bob', 'k'),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select is(pg_temp.everything(), state, 'replays, conflicts and refusals write nothing') from before_replay;

select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 800, 'debit', 'x', 'bob', 'all of it'),
    '{"success": true, "balance_after": -500}',
    'but may reach it'
);
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', 'x', 'bob', repeat('k', 255)),
    '{"success": true}',
    'a key of 255 characters is taken'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    '{"total_spent_pence": 0, "total_topped_up_pence": 100}',
    'an adjustment counts neither as spent nor as topped up'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;

select pg_temp.raises(
    $$select wallet.adjust_wallet(null, 1, 'credit', 'x', 'bob', 'k')$$, 'WL001', 'org_id',
    'an organization is required'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), null, 'credit', 'x', 'bob', 'k')$$, 'WL001', 'amount',
    'an amount is required'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 0, 'credit', 'x', 'bob', 'k')$$, 'WL002', 'amount',
    'an amount of 0 is misuse'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), -1, 'debit', 'x', 'bob', 'k')$$, 'WL002', 'amount',
    'a negative amount is misuse: the direction says which way'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, null, 'x', 'bob', 'k')$$, 'WL001', 'direction',
    'a direction is required'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'up', 'x', 'bob', 'k')$$, 'WL006', 'direction',
    'a direction is credit or debit'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', null, 'bob', 'k')$$, 'WL001', 'reason',
    'a reason is required'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', ' ', 'bob', 'k')$$, 'WL005', 'reason',
    'a blank reason is misuse'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', E'\t\n', 'bob', 'k')$$, 'WL005', 'reason',
    'a reason of nothing but white space is blank'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', 'x', null, 'k')$$, 'WL001', 'actor',
    'an actor is required'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', 'x', '', 'k')$$, 'WL005', 'actor',
    'a blank actor is misuse'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', 'x', 'bob', null)$$, 'WL001', 'idempotency_key',
    'a key is required'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', 'x', 'bob', '')$$, 'WL005', 'idempotency_key',
    'a blank key is misuse'
);
select pg_temp.raises(
    $$select wallet.adjust_wallet(pg_temp.org('acme'), 1, 'credit', 'x', 'bob', repeat('k', 256))$$,
    'WL005', 'idempotency_key', 'a key of 256 characters is misuse'
);
select pg_temp.raises(
    $$
        select wallet.adjust_wallet(
            pg_temp.open_wallet('full', 9223372036854775807), 1, 'credit', 'x', 'bob', 'k'
        )
    $$,
    'WL009', 'amount', 'a credit that takes the balance beyond bigint is misuse'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select pg_temp.books_are_right();

select * from finish();
rollback;
