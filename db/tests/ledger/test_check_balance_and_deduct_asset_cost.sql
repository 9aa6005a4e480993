begin;
select plan(38);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme', 1000); end $$;

create temporary table purchase as
select wallet.check_balance_and_deduct_asset_cost(
    pg_temp.org('acme'), 400, 'phone_number', 'Number +44 20 7946 0000', 'number 1'
) as answer;

select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "balance_before": 1000, "balance_after": 600,
        "balance_before_pence": 1000, "balance_after_pence": 600
    }',
    'an asset is paid for from the balance'
)
from purchase;
select pg_temp.answers(
    to_jsonb(entry),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'phone_number', 'direction', 'debit', 'amount_pence', 400,
        'balance_before_pence', 1000, 'balance_after_pence', 600, 'idempotency_key', 'number 1',
        'description', 'Number +44 20 7946 0000', 'call_id', null, 'client_charged_pence', null
    ),
    'as one entry under the caller''s key'
)
from purchase, wallet.credit_transactions as entry
where entry.org_id = pg_temp.org('acme') and entry.idempotency_key = 'number 1';

-- Replays.
create temporary table before_replay as select pg_temp.everything() as state;

select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 400, 'phone_number', 'again', 'number 1'),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'transaction_id', answer -> 'transaction_id',
        'balance_before', 1000, 'balance_after', 600, 'balance_before_pence', 1000, 'balance_after_pence', 600
    ),
    'the same purchase again is answered with the original one'
)
from purchase;
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 401, 'phone_number', 'x', 'number 1'),
    '{
        "success": false, "error": "idempotency_conflict",
        "original_amount_pence": 400, "attempted_amount_pence": 401
    }',
    'the same key with another price is a conflict that shows both'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 400, 'did', 'x', 'number 1'),
    '{"success": false, "error": "idempotency_conflict", "original_type": "phone_number", "attempted_type": "did"}',
    'the same key with another asset is a conflict'
);

-- Refusals.
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 601, 'license', 'x', 'too much'),
    '{
        "success": false, "error": "insufficient_balance",
        "balance_pence": 600, "required_pence": 601, "shortfall_pence": 1
    }',
    'an asset that costs a penny more than the balance is refused, whatever the debt limit'
);
select ok(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 601, 'license', 'x', 'too much') ->> 'message'
    like '%£6.01%£6.00%',
    'the message says the price and what is there'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('nobody'), 1, 'did', 'x', 'k'),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select is(pg_temp.everything(), state, 'replays, conflicts and refusals write nothing') from before_replay;

select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 600, 'license', 'x', 'all of it'),
    '{"success": true, "balance_after_pence": 0}',
    'the balance can be spent to the last penny'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 1, 'did', 'x', 'one more'),
    '{"error": "insufficient_balance", "balance_pence": 0, "required_pence": 1, "shortfall_pence": 1}',
    'and not a penny more'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 400, 'phone_number', 'again', 'number 1'),
    '{"success": true, "duplicate": true, "balance_after_pence": 600}',
    'a replay is answered also where the wallet could not pay again'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.open_wallet('in debt', -300), 100, 'did', 'x', 'k'),
    '{"error": "insufficient_balance", "balance_pence": -300, "required_pence": 100, "shortfall_pence": 400}',
    'a wallet in debt buys nothing, and is told what it lacks'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('in debt'), 9223372036854775807, 'did', 'x', 'k'),
    '{"error": "insufficient_balance", "shortfall_pence": 9223372036854776107}',
    'the shortfall can be a number beyond bigint'
);

do $$
begin
    perform pg_temp.open_wallet('reserved', 100);
    perform pg_temp.hold(pg_temp.org('reserved'), 80);
end $$;

select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('reserved'), 21, 'did', 'x', 'k'),
    '{"error": "insufficient_balance", "balance_pence": 100, "required_pence": 21, "shortfall_pence": 1}',
    'what is reserved buys no asset'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('reserved'), 20, 'did', 'x', 'k'),
    '{"success": true, "balance_after_pence": 80}',
    'what isn''t does'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(
        pg_temp.open_wallet('rich', 9223372036854775807), 9223372036854775807, 'did', 'x', 'k'
    ),
    '{"success": true, "balance_before_pence": 9223372036854775807, "balance_after_pence": 0}',
    'the largest bigint can be spent'
);
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(
        pg_temp.open_wallet('berlin', 1000, 0, 'eur'), 1, 'did', null, repeat('k', 255)
    ),
    '{"success": true}',
    'a purchase needs no description, and its key may have 255 characters'
);

-- Types.
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.open_wallet('types', 1000), 1, type, 'x', type),
    '{"success": true, "duplicate": false}',
    'one can buy: ' || type
)
from
    unnest(
        array['sms_deduction', 'knowledge_base_deduction', 'phone_provisioning', 'phone_number', 'did', 'license']
    ) as type;

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;

select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(null, 1, 'did', 'x', 'k')$$, 'WL001', 'org_id',
    'an organization is required'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), null, 'did', 'x', 'k')$$,
    'WL001', 'cost_pence', 'a price is required'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), 0, 'did', 'x', 'k')$$,
    'WL002', 'cost_pence', 'a price of 0 is misuse'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), -1, 'did', 'x', 'k')$$,
    'WL002', 'cost_pence', 'a negative price is misuse'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), 1, null, 'x', 'k')$$,
    'WL001', 'type', 'a type is required'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), 1, 'yacht', 'x', 'k')$$,
    'WL003', 'type', 'an unknown type is misuse'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), 1, 'topup', 'x', 'k')$$,
    'WL004', 'type', 'a type that can only be a credit is misuse'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), 1, 'topup_reversal', 'x', 'k')$$,
    'WL006', 'type', 'a clawback is no purchase'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), 1, 'did', 'x', null)$$,
    'WL001', 'idempotency_key', 'a key is required'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), 1, 'did', 'x', ' ')$$,
    'WL005', 'idempotency_key', 'a blank key is misuse'
);
select pg_temp.raises(
    $$select wallet.check_balance_and_deduct_asset_cost(pg_temp.org('types'), 1, 'did', 'x', repeat('k', 256))$$,
    'WL005', 'idempotency_key', 'a key of 256 characters is misuse'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    '{"total_spent_pence": 1000, "total_calls": 0, "total_profit_pence": 0}',
    'what was bought counts as spent'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
