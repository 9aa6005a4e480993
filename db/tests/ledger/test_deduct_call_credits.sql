begin;
select plan(50);
\ir ../support.sql

-- The seven debt-limit cases, one after the other on one wallet.
do $$ begin perform pg_temp.open_wallet('acme', 100, 500); end $$;

create temporary table charge as
select wallet.deduct_call_credits(
    pg_temp.org('acme'), 'call_1', 'vapi_1', 150, 167, 400, '{"llm": 90, "stt": 60}', 'Call to +44 20 7946 0000'
) as answer;

select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "balance_before": 100, "balance_after": -300,
        "client_charged_pence": 400, "provider_cost_pence": 150, "gross_profit_pence": 250,
        "debt_limit": 500, "in_debt": true, "needs_recharge": false
    }',
    '1: a charge of 400 on a balance of 100 leaves -300'
)
from charge;
select pg_temp.answers(answer, '{"remaining_debt_capacity": 200}', '2: and 200 of the debt limit of 500') from charge;

create temporary table refusal as
select wallet.deduct_call_credits(pg_temp.org('acme'), 'call_2', 'vapi_2', 300, 100, 600) as answer;

select pg_temp.answers(
    answer,
    '{
        "success": false, "error": "debt_limit_exceeded", "current_balance": -300, "debt_limit": 500,
        "attempted_deduction": 600, "new_balance_would_be": -900, "amount_over_limit": 400
    }',
    '3: a charge of 600 is then refused as 400 over the limit'
)
from refusal;
select is(pg_temp.balance(pg_temp.org('acme')), -300::bigint, '4: and leaves the balance alone');

select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call_3', 'vapi_3', 100, 100, 200),
    '{"success": true, "balance_before": -300, "balance_after": -500, "remaining_debt_capacity": 0}',
    '5: a charge of 200 reaches the limit exactly'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call_4', 'vapi_4', 1, 0, 1),
    '{
        "success": false, "error": "debt_limit_exceeded", "current_balance": -500, "debt_limit": 500,
        "attempted_deduction": 1, "new_balance_would_be": -501, "amount_over_limit": 1
    }',
    '6: one more penny is refused as 1 over'
);
select is(pg_temp.balance(pg_temp.org('acme')), -500::bigint, '7: and the balance stays at the limit');

-- What a refusal is, and what it leaves behind.
select ok(answer ->> 'message' <> '', 'a refusal says in a sentence what is wrong') from refusal;
select ok(not answer ? 'transaction_id', 'a refusal has no transaction') from refusal;
select is(pg_temp.entries(pg_temp.org('acme')), 3::bigint, 'a refused charge writes no entry');
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 1000, 'topup', 'pi_2'),
    '{"success": true, "balance_before": -500, "balance_after": 500}',
    'a top-up pays the debt'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call_2', 'vapi_2', 300, 100, 600),
    '{"success": true, "duplicate": false, "balance_before": 500, "balance_after": -100}',
    'a charge that was refused goes through under the same call id once there is money'
);

-- The row.
select pg_temp.answers(
    to_jsonb(entry),
    '{
        "type": "call_deduction", "direction": "debit", "amount_pence": 400, "balance_before_pence": 100,
        "balance_after_pence": -300, "idempotency_key": "call:call_1", "call_id": "call_1",
        "vapi_call_id": "vapi_1", "provider_cost_pence": 150, "client_charged_pence": 400,
        "gross_profit_pence": 250, "markup_percent": 167, "cost_breakdown": {"llm": 90, "stt": 60},
        "description": "Call to +44 20 7946 0000", "created_by": "system", "stripe_payment_intent_id": null
    }',
    'the entry holds the call, its cost, its price and its profit under the key call:<call_id>'
)
from wallet.credit_transactions as entry
where org_id = pg_temp.org('acme') and call_id = 'call_1';
select is(
    (select id::text from wallet.credit_transactions where org_id = pg_temp.org('acme') and call_id = 'call_1'),
    answer ->> 'transaction_id',
    'the answer names the entry'
)
from charge;

-- Replays.
create temporary table before_replay as select pg_temp.everything() as state;
create temporary table replay as
select wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'vapi_1', 150, 167, 400) as answer;

select pg_temp.answers(answer, '{"success": true, "duplicate": true}', 'the same call again is a duplicate')
from replay;
select pg_temp.answers(
    replay.answer,
    jsonb_build_object(
        'transaction_id', charge.answer -> 'transaction_id',
        'balance_before', charge.answer -> 'balance_before',
        'balance_after', charge.answer -> 'balance_after',
        'client_charged_pence', charge.answer -> 'client_charged_pence',
        'provider_cost_pence', charge.answer -> 'provider_cost_pence',
        'gross_profit_pence', charge.answer -> 'gross_profit_pence'
    ),
    'a replay answers what the first charge answered, whatever happened since'
)
from replay, charge;
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'other', 999, 1, 400),
    jsonb_build_object('duplicate', true, 'provider_cost_pence', 150, 'transaction_id', answer -> 'transaction_id'),
    'a replay that tells another cost is answered with the recorded one'
)
from charge;
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'vapi_1', 150, 167, 401),
    '{
        "success": false, "error": "idempotency_conflict",
        "original_amount_pence": 400, "attempted_amount_pence": 401
    }',
    'the same call with another price is a conflict that shows both'
);
select is(pg_temp.everything(), state, 'neither replays nor conflicts write anything') from before_replay;

select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('globex', 1000), 'call_1', 'vapi_1', 150, 167, 400),
    '{"success": true, "duplicate": false, "balance_after": 600}',
    'another organization''s call of the same id is another call'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('replayed at the limit', 0, 400), 'call_1', 'v', 0, 0, 400),
    '{"success": true, "balance_after": -400, "remaining_debt_capacity": 0}',
    'a charge may use the whole debt limit'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('replayed at the limit'), 'call_1', 'v', 0, 0, 400),
    '{"success": true, "duplicate": true, "balance_after": -400}',
    'a replay is answered also where the wallet could not pay for it again'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('nobody'), 'call_1', 'v', 0, 0, 400),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);

-- Limits and states.
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('no debt', 100, 0), 'call_1', 'v', 0, 0, 101),
    '{"error": "debt_limit_exceeded", "debt_limit": 0, "new_balance_would_be": -1, "amount_over_limit": 1}',
    'a debt limit of 0 allows no debt'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('no debt'), 'call_1', 'v', 0, 0, 100),
    '{"success": true, "balance_after": 0, "remaining_debt_capacity": 0, "in_debt": false}',
    'a debt limit of 0 lets the balance be spent to the last penny'
);

do $$
begin
    perform pg_temp.open_wallet('reserved', 100, 500);
    perform pg_temp.hold(pg_temp.org('reserved'), 80);
end $$;

select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('reserved'), 'call_1', 'v', 0, 0, 521),
    '{"error": "debt_limit_exceeded", "current_balance": 100, "new_balance_would_be": -421, "amount_over_limit": 1}',
    'what is reserved can''t be spent by others'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('reserved'), 'call_1', 'v', 0, 0, 520),
    '{"success": true, "balance_after": -420}',
    'balance minus reservations plus debt limit can be spent to the last penny'
);

do $$
begin
    perform pg_temp.open_wallet('recharging', 1000);
    update wallet.organizations
    set wallet_auto_recharge = true, wallet_low_balance_pence = 500
    where id = pg_temp.org('recharging');
end $$;

select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('recharging'), 'call_1', 'v', 0, 0, 500),
    '{"balance_after": 500, "needs_recharge": false}',
    'a balance at the threshold needs no recharge'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('recharging'), 'call_2', 'v', 0, 0, 1),
    '{"balance_after": 499, "needs_recharge": true}',
    'a balance below the threshold does, where auto-recharge is on'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('at a loss', 1000), 'call_1', null, 700, null, 500),
    '{"success": true, "client_charged_pence": 500, "provider_cost_pence": 700, "gross_profit_pence": -200}',
    'a call may cost more than it earns, and needs neither a Vapi id nor a mark-up'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('tokyo', 1000, 0, 'jpy'), 'call_1', 'v', 100, 300, 400),
    '{"success": true, "balance_after": 600}',
    'a wallet in yen is charged in yen'
);
select ok(
    wallet.deduct_call_credits(pg_temp.org('tokyo'), 'call_2', 'v', 0, 0, 601) ->> 'message' like '%¥601%',
    'and its refusals speak of yen'
);

-- Boundaries.
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('rich', 9223372036854775807, 0), 'call_1', 'v', 0, 0, 400),
    '{"success": true, "balance_before": 9223372036854775807, "balance_after": 9223372036854775407}',
    'a wallet that holds the largest bigint can be charged'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('poor', 0, 500), 'call_1', 'v', 0, 0, 9223372036854775807),
    '{
        "error": "debt_limit_exceeded", "attempted_deduction": 9223372036854775807,
        "new_balance_would_be": -9223372036854775807, "amount_over_limit": 9223372036854775307
    }',
    'the largest bigint is refused like any other amount that is not there'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('in debt', -500, 0), 'call_1', 'v', 0, 0, 9223372036854775807),
    '{"error": "debt_limit_exceeded", "new_balance_would_be": -9223372036854776307}',
    'a refusal can show a number beyond bigint'
);
select pg_temp.answers(
    wallet.deduct_call_credits(
        pg_temp.open_wallet('endless credit', 0, 9223372036854775807), 'call_1', 'v', 0, 0, 9223372036854775807
    ),
    '{"success": true, "balance_after": -9223372036854775807, "remaining_debt_capacity": 0}',
    'the largest debt limit can be used to the last penny'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.open_wallet('long ids', 1000), repeat('x', 255), 'v', 0, 0, 1),
    '{"success": true, "duplicate": false}',
    'a call id of 255 characters is taken'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;

select pg_temp.raises(
    $$select wallet.deduct_call_credits(null, 'c', 'v', 0, 0, 1)$$, 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), null, 'v', 0, 0, 1)$$, 'WL001', 'call_id',
    'a call id is required'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), '', 'v', 0, 0, 1)$$, 'WL005', 'call_id',
    'an empty call id is misuse'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), E' \t\n', 'v', 0, 0, 1)$$, 'WL005', 'call_id',
    'a call id of nothing but white space is misuse'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), repeat('x', 256), 'v', 0, 0, 1)$$, 'WL005', 'call_id',
    'a call id of 256 characters is misuse'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), 'c', 'v', 0, 0, null)$$, 'WL001', 'client_charged_pence',
    'a price is required'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), 'c', 'v', 0, 0, 0)$$, 'WL002', 'client_charged_pence',
    'a price of 0 is misuse'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), 'c', 'v', 0, 0, -1)$$, 'WL002', 'client_charged_pence',
    'a negative price is misuse'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), 'c', 'v', null, 0, 1)$$, 'WL001', 'provider_cost_pence',
    'a provider cost is required'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), 'c', 'v', -1, 0, 1)$$, 'WL002', 'provider_cost_pence',
    'a negative provider cost is misuse'
);
select pg_temp.raises(
    $$select wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 0, 0, 0)$$, 'WL002', 'client_charged_pence',
    'misuse raises also where the key is known'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select pg_temp.books_are_right();

select * from finish();
rollback;
