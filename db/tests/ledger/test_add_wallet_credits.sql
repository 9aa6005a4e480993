begin;
select plan(43);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme', 56900); end $$;

create temporary table credit as
select wallet.add_wallet_credits(
    pg_temp.org('acme'), 5000, 'topup', 'pi_1', 'ch_1', 'Card payment', 'checkout'
) as answer;

select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "balance_before": 56900, "balance_after": 61900, "amount_added": 5000
    }',
    '£50.00 on a wallet of £569.00 gives £619.00'
)
from credit;
select pg_temp.answers(
    to_jsonb(entry),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'topup', 'direction', 'credit', 'amount_pence', 5000,
        'balance_before_pence', 56900, 'balance_after_pence', 61900, 'idempotency_key', 'topup:pi_1',
        'stripe_payment_intent_id', 'pi_1', 'stripe_charge_id', 'ch_1', 'description', 'Card payment',
        'created_by', 'checkout', 'call_id', null
    ),
    'as one entry with its payment intent, its charge and the key <type>:<payment intent>'
)
from credit, wallet.credit_transactions as entry
where entry.org_id = pg_temp.org('acme') and entry.idempotency_key = 'topup:pi_1';
select is(pg_temp.balance(pg_temp.org('acme')), 61900::bigint, 'the organization''s row shows the new balance');

-- Replays.
create temporary table before_replay as select pg_temp.everything() as state;

select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', 'pi_1'),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'transaction_id', answer -> 'transaction_id',
        'balance_before', 56900, 'balance_after', 61900, 'amount_added', 5000
    ),
    'the same payment intent again is answered with the original credit'
)
from credit;
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', p_idempotency_key => 'topup:pi_1'),
    jsonb_build_object('success', true, 'duplicate', true, 'transaction_id', answer -> 'transaction_id'),
    'a key of the caller''s is used as given, also where it equals a derived one'
)
from credit;
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 4999, 'topup', 'pi_1'),
    jsonb_build_object(
        'success', false, 'error', 'idempotency_conflict', 'original_amount_pence', 5000,
        'attempted_amount_pence', 4999, 'transaction_id', answer -> 'transaction_id'
    ),
    'the same payment with another amount is a conflict that shows both'
)
from credit;
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'bonus', p_idempotency_key => 'topup:pi_1'),
    '{"success": false, "error": "idempotency_conflict", "original_type": "topup", "attempted_type": "bonus"}',
    'the same key with another type is a conflict'
);
select ok(
    not wallet.add_wallet_credits(pg_temp.org('acme'), 4999, 'topup', 'pi_1') ? 'amount_added',
    'what was refused was not added'
);
select is(pg_temp.everything(), state, 'neither replays nor conflicts write anything') from before_replay;

-- Keys.
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 100, 'bonus', 'pi_1'),
    '{"success": true, "duplicate": false}',
    'a bonus for the same payment is another entry'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 100, 'topup', p_stripe_charge_id => 'ch_2'),
    '{"success": true, "duplicate": false}',
    'without a payment intent the charge is the key'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 100, 'topup', p_stripe_charge_id => 'ch_2'),
    '{"success": true, "duplicate": true}',
    'and a replay finds it'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 100, 'refund', p_idempotency_key => 'ticket 7'),
    '{"success": true, "duplicate": false}',
    'a caller''s own key needs no Stripe id'
);
select is(
    (
        select string_agg(idempotency_key, ', ' order by entry_number) from wallet.credit_transactions
        where org_id = pg_temp.org('acme') and amount_pence = 100
    ),
    'bonus:pi_1, topup:ch_2, ticket 7',
    'keys are derived from type and Stripe id, and used as given otherwise'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.open_wallet('globex'), 700, 'topup', 'pi_1'),
    '{"success": true, "duplicate": false, "balance_before": 0, "balance_after": 700}',
    'the same key in another wallet is another entry'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('nobody'), 700, 'topup', 'pi_1'),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);

-- Defaults and types.
select is(
    (select created_by from wallet.credit_transactions where org_id = pg_temp.org('globex')),
    'system',
    'an entry that nobody signs is the system''s'
);
select is(
    (
        select string_agg(type, ' ' order by entry_number) from wallet.credit_transactions
        where org_id = pg_temp.org('acme')
    ),
    'topup topup bonus topup refund',
    'top-ups, bonuses and refunds are credits'
);
select pg_temp.answers(
    wallet.add_wallet_credits(
        pg_temp.org('acme'), 50, 'adjustment', p_description => 'goodwill', p_idempotency_key => 'a'
    ),
    '{"success": true}',
    'an adjustment can be a credit'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 50, 'topup_reversal', p_idempotency_key => 'r'),
    '{"success": true}',
    'a reversal can be taken back'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    '{"balance_pence": 62300, "total_topped_up_pence": 62000, "total_spent_pence": 0}',
    'only top-ups count as topped up'
);

-- Boundaries.
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.open_wallet('full'), 9223372036854775807, 'topup', 'pi_1'),
    '{"success": true, "balance_after": 9223372036854775807, "amount_added": 9223372036854775807}',
    'the largest bigint can be credited'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.open_wallet('deep in debt', -9223372036854775807), 1, 'topup', 'pi_1'),
    '{"success": true, "balance_after": -9223372036854775806}',
    'a wallet as deep in debt as bigint goes can be credited'
);
select pg_temp.answers(
    wallet.add_wallet_credits(
        pg_temp.org('globex'), 1, 'bonus', p_idempotency_key => repeat('k', 255)
    ),
    '{"success": true, "duplicate": false}',
    'a key of 255 characters is taken'
);
select pg_temp.answers(
    wallet.add_wallet_credits(
        pg_temp.org('globex'), 1, 'bonus', p_idempotency_key => repeat('k', 255)
    ),
    '{"success": true, "duplicate": true}',
    'and found again'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('globex'), 1, 'bonus', p_idempotency_key => repeat('ü', 255)),
    '{"success": true, "duplicate": false}',
    'characters are counted, not bytes'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('globex'), 1, 'bonus', p_idempotency_key => ' ticket 7 '),
    '{"success": true, "duplicate": false}',
    'spaces around a key are part of it'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;

select pg_temp.raises(
    $$select wallet.add_wallet_credits(null, 1, 'topup', 'pi_9')$$, 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), null, 'topup', 'pi_9')$$, 'WL001', 'amount_pence',
    'an amount is required'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 0, 'topup', 'pi_9')$$, 'WL002', 'amount_pence',
    'an amount of 0 is misuse'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), -1, 'topup', 'pi_9')$$, 'WL002', 'amount_pence',
    'a negative amount is misuse'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, null, 'pi_9')$$, 'WL001', 'type', 'a type is required'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'gift', 'pi_9')$$, 'WL003', 'type',
    'an unknown type is misuse'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'call_deduction', 'pi_9')$$, 'WL004', 'type',
    'a type that can only be a debit is misuse'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'topup')$$, 'WL001', 'idempotency_key',
    'without any key a retry would be a second credit, which is misuse'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'topup', ' ')$$, 'WL005', '',
    'a blank payment intent is no key'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'topup', 'pi_9', p_idempotency_key => '')$$,
    'WL005', 'idempotency_key', 'a blank key is misuse, whatever else is given'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'bonus', p_idempotency_key => E'\n\t')$$,
    'WL005', 'idempotency_key', 'a key of nothing but white space is blank'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'bonus', p_idempotency_key => repeat('k', 256))$$,
    'WL005', 'idempotency_key', 'a key of 256 characters is misuse'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('acme'), 1, 'topup', 'pi_9', p_created_by => '')$$,
    'WL005', 'created_by', 'an entry that somebody signs has a name'
);
select pg_temp.raises(
    $$select wallet.add_wallet_credits(pg_temp.org('full'), 1, 'bonus', p_idempotency_key => 'k')$$,
    'WL009', 'amount', 'a credit that takes the balance beyond bigint is misuse'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select pg_temp.books_are_right();

select * from finish();
rollback;
