begin;
select plan(64);
\ir ../support.sql
\ir ../reservations/reservations.sql

-- A call that nobody reserved.
do $$ begin perform pg_temp.open_caller('acme', 5000); end $$;
create temporary table billed as
select wallet.bill_call(
    pg_temp.org('acme'), 'call_1', 90, 'vapi_1', 120, now() - interval '10 minutes', 'Call to +44 20 7946 0000'
) as answer;
select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "call_id": "call_1", "duration_seconds": 90, "actual_cost_pence": 300,
        "charged_pence": 300, "owed_pence": 0, "reservation_id": null, "reserved_pence": 0, "released_pence": 0,
        "balance_before": 5000, "balance_after": 4700, "client_charged_pence": 300, "provider_cost_pence": 120,
        "gross_profit_pence": 180, "debt_limit": 500, "remaining_debt_capacity": 500, "in_debt": false
    }',
    'a call is priced and charged in one'
)
from billed;
select pg_temp.answers(
    answer -> 'cost_breakdown',
    '{
        "service": "call", "quantity": 90, "measured_in": "second", "unit": "minute", "unit_size": 60,
        "unit_price": 200, "price_currency": "gbp", "amount_pence": 300, "currency": "gbp", "rounding": "up",
        "own_price": true
    }',
    'and what it costs is explained'
)
from billed;
select pg_temp.answers(
    to_jsonb(e),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'call_deduction', 'direction', 'debit', 'amount_pence', 300,
        'idempotency_key', 'call:call_1', 'call_id', 'call_1', 'vapi_call_id', 'vapi_1', 'provider_cost_pence', 120,
        'gross_profit_pence', 180, 'description', 'Call to +44 20 7946 0000',
        'cost_breakdown', answer -> 'cost_breakdown'
    ),
    'the entry holds it all'
)
from billed, wallet.credit_transactions as e
where e.org_id = pg_temp.org('acme') and e.call_id = 'call_1';
select pg_temp.answers(
    pg_temp.call('acme', 'call_1'),
    jsonb_build_object(
        'vapi_call_id', 'vapi_1', 'source', 'backend', 'reconciled', false, 'duration_seconds', 90, 'cost_pence', 300,
        'charged_pence', 300, 'owed_pence', 0, 'collections', 0, 'provider_cost_pence', 120,
        'transaction_id', answer -> 'transaction_id', 'reported_at', null, 'cost_breakdown', answer -> 'cost_breakdown'
    ),
    'and so does the call'
)
from billed;
select is(
    (pg_temp.call('acme', 'call_1') ->> 'started_at')::timestamptz, now() - interval '10 minutes',
    'when it started, too'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    '{"total_calls": 1, "total_spent_pence": 300, "total_profit_pence": 180}',
    'it is counted'
);

-- Replays.
create temporary table before_replay as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.bill_call(pg_temp.org('acme'), 'call_1', 90, 'vapi_1', 120, now() - interval '10 minutes'),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'transaction_id', answer -> 'transaction_id', 'actual_cost_pence', 300,
        'charged_pence', 300, 'owed_pence', 0, 'balance_before', 5000, 'balance_after', 4700,
        'cost_breakdown', answer -> 'cost_breakdown', 'duration_seconds', 90
    ),
    'billed again it is a duplicate with the original numbers'
)
from billed;
select is(pg_temp.everything(), state, 'that writes nothing') from before_replay;
do $$ begin perform pg_temp.price_calls('acme', 400); end $$;
select pg_temp.answers(
    pg_temp.bill('acme', 'call_1', 90), '{"success": true, "duplicate": true, "actual_cost_pence": 300}',
    'a price that has changed since changes nothing about it'
);
select ok(
    not (answer ->> 'success')::boolean or answer -> 'actual_cost_pence' = '300',
    'nor does another duration'
)
from (select pg_temp.bill('acme', 'call_1', 900) as answer) as a;
select is(pg_temp.charges('acme', 'call_1'), 'call:call_1=300', 'it stays charged once');

-- The rounding examples.
do $$ begin perform pg_temp.open_wallet('general', 5000); end $$;
select is(
    pg_temp.bill('general', 'call_' || seconds, seconds) -> 'actual_cost_pence', to_jsonb(pence),
    format('%s seconds cost %s pence', seconds, pence)
)
from (values (30, 28), (60, 56), (91, 85), (1, 2), (0, 0)) as p (seconds, pence);

-- The price of when it began.
do $$
begin
    perform pg_temp.open_caller('raised', 5000);
    perform pg_temp.price_calls('raised', 400, 'gbp', now() - interval '1 hour');
end $$;
select pg_temp.answers(
    wallet.bill_call(pg_temp.org('raised'), 'before', 60, p_started_at => now() - interval '2 hours'),
    '{"actual_cost_pence": 200}', 'a call that began before a price was raised has the old price'
);
select pg_temp.answers(
    wallet.bill_call(pg_temp.org('raised'), 'after', 60, p_started_at => now() - interval '30 minutes'),
    '{"actual_cost_pence": 400}', 'one that began afterwards the new one'
);

-- A call of zero seconds.
do $$ begin perform pg_temp.open_caller('silent', 100); end $$;
select pg_temp.answers(
    pg_temp.bill('silent', 'call_1', 0),
    '{
        "success": true, "duplicate": false, "actual_cost_pence": 0, "charged_pence": 0, "owed_pence": 0,
        "transaction_id": null, "duration_seconds": 0
    }',
    'a call of zero seconds costs nothing'
);
select is(pg_temp.entries(pg_temp.org('silent')), 1::bigint, 'and writes no entry');
select pg_temp.answers(
    pg_temp.call('silent', 'call_1'),
    '{"duration_seconds": 0, "cost_pence": 0, "charged_pence": 0, "owed_pence": 0, "transaction_id": null}',
    'but is recorded'
);
select pg_temp.answers(
    pg_temp.bill('silent', 'call_1', 0), '{"success": true, "duplicate": true, "actual_cost_pence": 0}', 'once'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('silent')), '{"total_calls": 0, "total_spent_pence": 0}',
    'it is no call that was charged'
);

-- Up to the debt limit; the rest is owed, and collected from the next top-up.
do $$ begin perform pg_temp.open_caller('owing', 300, 500); end $$;
create temporary table owing as select pg_temp.bill('owing', 'call_1', 300) as answer;
select pg_temp.answers(
    answer,
    '{
        "success": true, "actual_cost_pence": 1000, "charged_pence": 800, "owed_pence": 200, "balance_before": 300,
        "balance_after": -500, "remaining_debt_capacity": 0, "in_debt": true
    }',
    'a call that runs into the debt limit is charged up to there, and owes the rest'
)
from owing;
select is(pg_temp.money('owing'), '-500 0 200', 'which the wallet shows');
select pg_temp.answers(
    pg_temp.bill('owing', 'call_2', 60),
    '{
        "success": true, "actual_cost_pence": 200, "charged_pence": 0, "owed_pence": 200, "transaction_id": null,
        "balance_before": -500, "balance_after": -500
    }',
    'another one owes all that it costs'
);
select pg_temp.answers(
    pg_temp.call('owing', 'call_2'), '{"charged_pence": 0, "owed_pence": 200, "transaction_id": null}',
    'and is recorded without an entry'
);
select pg_temp.books_are_right();
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('owing')), '{"total_calls": 1, "total_spent_pence": 800}',
    'what is owed is not spent yet'
);
do $$ begin perform pg_temp.pay_in('owing', 'first', 300); end $$;
select is(pg_temp.money('owing'), '-500 0 100', 'a top-up pays what is owed');
select is(
    pg_temp.charges('owing', 'call_1') || ', ' || pg_temp.charges('owing', 'call_2'),
    'call:call_1=800 call_owed:call_1:1=200, call:call_2=100',
    'the call that has waited longest first, and each call''s first entry has its own key'
);
select pg_temp.answers(
    pg_temp.bill('owing', 'call_2', 60), '{"success": true, "duplicate": true, "actual_cost_pence": 200}',
    'billed again meanwhile it is a duplicate'
);
do $$ begin perform pg_temp.pay_in('owing', 'second', 700); end $$;
select is(pg_temp.money('owing'), '100 0 0', 'the next one pays the rest');
select alike(
    pg_temp.charges('owing', 'call_2'), 'call:call_2=100 call_owed:call_2:%=100', 'with an entry of its own'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('owing')), '{"total_calls": 2, "total_spent_pence": 1200}',
    'each call is counted once'
);
select pg_temp.answers(
    pg_temp.spend('owing', 'call_2', 200), '{"success": true, "duplicate": true, "client_charged_pence": 200}',
    'and not charged again by another function'
);
select is(pg_temp.money('owing'), '100 0 0', 'in whichever way it is tried');

-- With a clawback the debt may be beyond the limit.
do $$ begin perform pg_temp.open_caller('beyond', -900, 500); end $$;
select pg_temp.answers(
    pg_temp.bill('beyond', 'call_1', 60),
    '{"success": true, "charged_pence": 0, "owed_pence": 200, "balance_after": -900}',
    'beyond the debt limit nothing is charged, and nothing given back'
);

-- A reservation of the call is used up, another one is left alone.
do $$
begin
    perform pg_temp.open_caller('reserved', 2000, 0);
    perform pg_temp.reserve('reserved', 'call_1');
    perform pg_temp.reserve('reserved', 'call_2');
end $$;
select pg_temp.answers(
    pg_temp.bill('reserved', 'call_1', 60),
    jsonb_build_object(
        'success', true, 'charged_pence', 200, 'owed_pence', 0, 'reserved_pence', 1000, 'released_pence', 800,
        'reservation_id', pg_temp.reservation('reserved', 'call_1') -> 'id'
    ),
    'a call that was reserved is charged from its reservation, and the rest released'
);
select is(pg_temp.money('reserved'), '1800 1000 0', 'so that only the other call''s is held');
select pg_temp.answers(
    pg_temp.reservation('reserved', 'call_1'),
    '{"status": "committed", "actual_cost_pence": 200, "charged_pence": 200, "owed_pence": 0, "duration_seconds": 60}',
    'the reservation is committed'
);
select pg_temp.answers(
    pg_temp.commit_call('reserved', 'call_1', 60), '{"success": true, "duplicate": true, "charged_pence": 200}',
    'and a commit that comes afterwards is a duplicate'
);
select is(pg_temp.money('reserved'), '1800 1000 0', 'that charges nothing');
select pg_temp.answers(
    pg_temp.bill('reserved', 'call_2', 300), '{"charged_pence": 1000, "owed_pence": 0, "balance_after": 800}',
    'all that was held can be charged'
);

-- Charged already by its id, before it was known how long it took.
do $$
begin
    perform pg_temp.open_caller('charged', 2000, 0);
    perform pg_temp.spend('charged', 'call_1', 150);
    perform pg_temp.bill('charged', 'call_1', 60);
end $$;
select is(
    pg_temp.charges('charged', 'call_1') || ', ' || pg_temp.money('charged'), 'call:call_1=150, 1850 0 0',
    'a call that deduct_call_credits has charged isn''t charged again'
);

-- One call of the provider under two ids of ours.
do $$
begin
    perform pg_temp.open_caller('twice', 2000);
    perform wallet.reserve_call_credits(pg_temp.org('twice'), 'call_1', 'vapi_1');
    perform wallet.bill_call(pg_temp.org('twice'), 'call_2', 60, 'vapi_1');
end $$;
select is(
    pg_temp.sqlstate_of($$select pg_temp.bill('twice', 'call_1', 60)$$), null,
    'a call of the provider that has two ids of ours is no error'
);
select is(pg_temp.money('twice'), '1800 0 0', 'it is charged once, and nothing stays held for it');


-- A call that was billed can't be charged by deduct_call_credits.
create temporary table before_deduction as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.spend('silent', 'call_1', 50),
    '{
        "success": false, "error": "idempotency_conflict", "original_amount_pence": 0, "attempted_amount_pence": 50,
        "transaction_id": null
    }',
    'not even if it cost nothing'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('twice'), 'call_9', 'vapi_1', 0, 0, 50),
    '{"success": false, "error": "idempotency_conflict", "original_amount_pence": 200}',
    'nor under another id, if the provider''s is the same'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('twice'), 'call_9', 'vapi_1', 0, 0, 200),
    '{"success": true, "duplicate": true, "charged_pence": 200, "call_id": "call_2"}',
    'for the same money it is a duplicate'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_deduction;

-- The longest id.
do $$
begin
    perform pg_temp.open_caller('long', 0, 100);
    perform pg_temp.bill('long', repeat('x', 255), 60);
    perform pg_temp.pay_in('long', 'one', 50);
    perform pg_temp.pay_in('long', 'two', 500);
end $$;
select is(pg_temp.money('long'), '350 0 0', 'a call id of 255 characters is no obstacle to what it owes');

-- Frozen, unknown, without a price.
do $$
begin
    perform pg_temp.open_caller('frozen', 1000);
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
    perform pg_temp.open_wallet('no rate', 1000, 0, 'chf');
end $$;
select ok(
    (answer ->> 'success')::boolean
    and (answer ->> 'charged_pence')::bigint + (answer ->> 'owed_pence')::bigint = 200,
    'a call of a frozen wallet is charged, or owed, and not lost'
)
from (select pg_temp.bill('frozen', 'call_1', 60) as answer) as a;
create temporary table before_refusal as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.bill('nobody', 'call_1', 60), '{"success": false, "error": "organization_not_found"}',
    'an organization that doesn''t exist is refused'
);
select pg_temp.answers(
    pg_temp.bill('no rate', 'call_1', 60), '{"success": false, "error": "exchange_rate_not_found"}',
    'and a wallet for whose currency there is no rate'
);
select is(pg_temp.everything(), state, 'which writes nothing') from before_refusal;

-- Misuse.
select pg_temp.raises($$select wallet.bill_call(null, 'c', 1)$$, 'WL001', 'p_org_id', 'an organization is required');
select pg_temp.raises(
    $$select pg_temp.bill('acme', null, 1)$$, 'WL001', 'p_call_id', 'so is a call id'
);
select pg_temp.raises($$select pg_temp.bill('acme', ' ', 1)$$, 'WL005', 'p_call_id', 'which may not be blank');
select pg_temp.raises(
    $$select pg_temp.bill('acme', 'c', null)$$, 'WL001', 'p_duration_seconds', 'and a duration'
);
select pg_temp.raises(
    $$select pg_temp.bill('acme', 'c', -1)$$, 'WL002', 'p_duration_seconds', 'which may not be negative'
);
select pg_temp.raises(
    $$select wallet.bill_call(pg_temp.org('acme'), 'c', 1, null, -1)$$, 'WL002', 'p_provider_cost_pence',
    'nor may what it cost us'
);

select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
