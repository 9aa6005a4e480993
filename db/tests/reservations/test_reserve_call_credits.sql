begin;
select plan(62);
\ir ../support.sql
\ir reservations.sql

-- Six reservations of 1000 on a balance of 5000: five.
do $$ begin perform pg_temp.open_caller('acme', 5000); end $$;

create temporary table first as
select
    wallet.reserve_call_credits(pg_temp.org('acme'), 'call_1', 'vapi_1') as answer;

select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "reserved_pence": 1000, "requested_pence": 1000,
        "active_reservations_pence": 1000, "effective_balance_pence": 4000
    }',
    'a reservation of five minutes, which is what is meant without a number, holds what they cost'
)
from first;
select pg_temp.answers(
    to_jsonb(r),
    jsonb_build_object(
        'id', answer -> 'reservation_id', 'call_id', 'call_1', 'vapi_call_id', 'vapi_1', 'status', 'open',
        'requested_minutes', 5, 'estimated_minutes', 5, 'reserved_pence', 1000, 'closed_at', null,
        'actual_cost_pence', null, 'charged_pence', null, 'owed_pence', null, 'transaction_id', null
    ),
    'and is a row, open'
)
from first, wallet.credit_reservations as r
where r.org_id = pg_temp.org('acme');
select is(pg_temp.money('acme'), '5000 1000 0', 'a reservation moves no money');
select is(pg_temp.entries(pg_temp.org('acme')), 1::bigint, 'and writes no entry');
select is(
    (answer ->> 'expires_at')::timestamptz, (pg_temp.reservation('acme', 'call_1') ->> 'expires_at')::timestamptz,
    'the answer says until when the money is held'
)
from first;
select ok(
    (answer ->> 'expires_at')::timestamptz - clock_timestamp() between interval '19 minutes' and interval '20 minutes',
    'for the minutes that were asked and a quarter of an hour more'
)
from first;
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    '{"balance_pence": 5000, "reserved_pence": 1000, "available_pence": 4000}',
    'the summary shows what is held and what is left'
);

do $$
begin
    for v_call in 2 .. 5 loop
        perform pg_temp.reserve('acme', 'call_' || v_call);
    end loop;
end $$;
select is(pg_temp.money('acme'), '5000 5000 0', 'five reservations of 1000 hold 5000');

create temporary table before_refusal as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.reserve('acme', 'call_6'),
    '{
        "success": false, "error": "insufficient_balance", "balance_pence": 5000, "reserved_pence": 5000,
        "owed_pence": 0, "required_pence": 1000, "shortfall_pence": 1000
    }',
    'the sixth is refused, for a reservation may not use the debt limit'
);
select is(pg_temp.everything(), state, 'and writes nothing') from before_refusal;
select ok(pg_temp.reserve('acme', 'call_6') ->> 'message' <> '', 'a refusal says in a sentence what is wrong');
select pg_temp.answers(
    pg_temp.reserve('acme', 'call_6', 1),
    '{"error": "insufficient_balance", "required_pence": 200, "shortfall_pence": 200}',
    'a shorter one is refused as well'
);

-- To the last penny.
do $$ begin perform pg_temp.open_caller('exact', 1000); end $$;
select pg_temp.answers(
    pg_temp.reserve('exact', 'call_1'),
    '{"success": true, "reserved_pence": 1000, "effective_balance_pence": 0}',
    'the last penny can be reserved'
);
do $$ begin perform pg_temp.open_caller('short', 999); end $$;
select pg_temp.answers(
    pg_temp.reserve('short', 'call_1'),
    '{"error": "insufficient_balance", "required_pence": 1000, "shortfall_pence": 1}',
    'a penny too little is a penny too little'
);
do $$ begin perform pg_temp.open_caller('in debt', -100); end $$;
select pg_temp.answers(
    pg_temp.reserve('in debt', 'call_1', 1),
    '{"error": "insufficient_balance", "balance_pence": -100, "required_pence": 200, "shortfall_pence": 300}',
    'in debt nothing can be reserved, and the shortfall is what a top-up must bring'
);

-- The general price: 70 US cents a minute at 0.79.
do $$ begin perform pg_temp.open_wallet('general', 5000); end $$;
select pg_temp.answers(
    pg_temp.reserve('general', 'call_1'), '{"success": true, "reserved_pence": 277}',
    'five minutes at the general price are 350 cents, and so 277 pence'
);
select pg_temp.answers(
    pg_temp.reserve('general', 'call_2', 1), '{"success": true, "reserved_pence": 56}', 'one minute is 56 pence'
);
do $$
begin
    perform pg_temp.open_caller('tokyo', 5000, 0, 'jpy');
    perform pg_temp.open_wallet('no rate', 5000, 0, 'chf');
end $$;
select pg_temp.answers(
    pg_temp.reserve('tokyo', 'call_1'), '{"success": true, "reserved_pence": 1000}', 'a wallet in yen reserves yen'
);
select pg_temp.answers(
    pg_temp.reserve('no rate', 'call_1'),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "usd", "to_currency": "chf"}',
    'without a rate of exchange nothing is reserved'
);

-- What is held is out of reach of everything else.
do $$
begin
    perform pg_temp.open_caller('held', 5000, 0);
    for v_call in 1 .. 4 loop
        perform pg_temp.reserve('held', 'call_' || v_call);
    end loop;
end $$;
select pg_temp.answers(
    pg_temp.spend('held', 'other', 1001), '{"error": "debt_limit_exceeded", "amount_over_limit": 1}',
    'a charge of another call can''t have it'
);
select pg_temp.answers(
    wallet.deduct_call_credits_batch(
        jsonb_build_array(
            jsonb_build_object(
                'org_id', pg_temp.org('held'), 'call_id', 'other', 'provider_cost_pence', 0,
                'client_charged_pence', 1001
            )
        )
    ),
    '{"charged": 0, "refused": 1}',
    'nor a batch'
);
select pg_temp.answers(
    pg_temp.buy('held', 'did', 1001), '{"error": "insufficient_balance", "shortfall_pence": 1}', 'nor a purchase'
);
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('held'), 1001, 'debit', 'a reason', 'ann', 'adjust'),
    '{"error": "debt_limit_exceeded"}', 'nor an adjustment'
);
select pg_temp.answers(
    pg_temp.bill('held', 'other', 301),
    '{"success": true, "actual_cost_pence": 1004, "charged_pence": 1000, "owed_pence": 4}',
    'a call that nobody reserved is charged from what is left, and owes the rest'
);
select is(pg_temp.money('held'), '4000 4000 4', 'so that what is held stays');

-- What is owed can't be reserved.
do $$
begin
    perform pg_temp.open_caller('owing', 1000, 0);
    perform pg_temp.bill('owing', 'long', 600);
    perform wallet.set_debt_limit(pg_temp.org('owing'), 0, 'ann');
end $$;
select is(pg_temp.money('owing'), '0 0 1000', 'a wallet owes 1000');
select pg_temp.answers(
    pg_temp.reserve('owing', 'call_1', 1),
    '{"error": "insufficient_balance", "owed_pence": 1000, "shortfall_pence": 1200}',
    'what is owed counts as spent'
);

-- A part, where that is asked for.
do $$
begin
    perform pg_temp.open_caller('partial', 700);
    perform pg_temp.open_caller('empty', 0);
    perform pg_temp.open_caller('penny', 1);
    perform pg_temp.open_caller('plenty', 5000);
end $$;
select pg_temp.answers(
    pg_temp.reserve('partial', 'call_1', 5, false), '{"error": "insufficient_balance", "shortfall_pence": 300}',
    'a part is never given where nobody asked for it'
);
select pg_temp.answers(
    pg_temp.reserve('partial', 'call_1', 5, true),
    '{
        "success": true, "duplicate": false, "reserved_pence": 700, "requested_pence": 1000,
        "effective_balance_pence": 0, "active_reservations_pence": 700
    }',
    'a part is given where it was, with what had been asked beside it'
);
select is(pg_temp.money('partial'), '700 700 0', 'and no more than the part is held');
select pg_temp.answers(
    pg_temp.reserve('partial', 'call_1', 5, true), '{"success": true, "duplicate": true, "reserved_pence": 700}',
    'asked again it is the same part'
);
select pg_temp.answers(
    pg_temp.reserve('partial', 'call_2', 5, true), '{"success": false, "error": "insufficient_balance"}',
    'nothing is no part'
);
select pg_temp.answers(
    pg_temp.reserve('empty', 'call_1', 5, true),
    '{"error": "insufficient_balance", "required_pence": 1000, "shortfall_pence": 1000}',
    'an empty wallet gives no part'
);
select pg_temp.answers(
    pg_temp.reserve('in debt', 'call_1', 5, true), '{"error": "insufficient_balance"}', 'nor does a debt'
);
select pg_temp.answers(pg_temp.reserve('penny', 'call_1', 5, true), '{"reserved_pence": 1}', 'a penny is a part');
select pg_temp.answers(
    pg_temp.reserve('plenty', 'call_1', 5, true), '{"reserved_pence": 1000, "requested_pence": 1000}',
    'where there is enough, all of it is held'
);

-- Replays.
create temporary table before_replay as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.reserve_call_credits(pg_temp.org('acme'), 'call_1', 'vapi_1'),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'reservation_id', answer -> 'reservation_id', 'reserved_pence', 1000,
        'requested_pence', 1000, 'expires_at', answer -> 'expires_at'
    ),
    'the same reservation again is the same reservation, though nothing is left'
)
from first;
select pg_temp.answers(
    pg_temp.reserve('acme', 'call_1', 6), '{"success": false, "error": "idempotency_conflict"}',
    'for other minutes it is a conflict: extend_reservation makes it longer'
);
select is(pg_temp.everything(), state, 'and nothing was written') from before_replay;

do $$
begin
    perform pg_temp.open_caller('over', 5000);
    perform pg_temp.reserve('over', 'released');
    perform pg_temp.release('over', 'released');
    perform pg_temp.reserve('over', 'committed');
    perform pg_temp.commit_call('over', 'committed', 60);
    perform pg_temp.reserve('over', 'expired');
    perform pg_temp.later('over', 'expired');
    perform wallet.cleanup_expired_reservations();
    perform pg_temp.bill('over', 'billed', 60);
    perform pg_temp.bill('over', 'silent', 0);
    perform pg_temp.spend('over', 'spent', 100);
end $$;
create temporary table before_closed as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.reserve('over', 'released'), '{"success": false, "error": "reservation_closed", "status": "released"}',
    'a reservation that was released stays so'
);
select pg_temp.answers(
    pg_temp.reserve('over', 'expired'), '{"success": false, "error": "reservation_closed", "status": "expired"}',
    'one that expired as well'
);
select ok(
    answer ->> 'error' in ('reservation_closed', 'call_already_billed'),
    'one that was committed is refused: ' || (answer ->> 'message')
)
from (select pg_temp.reserve('over', 'committed') as answer) as a;
select pg_temp.answers(
    pg_temp.reserve('over', 'billed'), '{"success": false, "error": "call_already_billed"}',
    'for a call that was billed nothing is held any more'
);
select pg_temp.answers(
    pg_temp.reserve('over', 'silent'), '{"success": false, "error": "call_already_billed"}',
    'not even if it cost nothing'
);
select pg_temp.answers(
    pg_temp.reserve('over', 'spent'), '{"success": false, "error": "call_already_billed"}',
    'nor for one that deduct_call_credits has charged'
);
select is(pg_temp.everything(), state, 'and none of these writes anything') from before_closed;

-- Another organization's call of the same id is another call.
do $$ begin perform pg_temp.open_caller('other', 5000); end $$;
select pg_temp.answers(
    pg_temp.reserve('other', 'call_1'), '{"success": true, "duplicate": false, "reserved_pence": 1000}',
    'two organizations may share a call id'
);

-- Frozen and unknown.
do $$
begin
    perform pg_temp.open_caller('frozen', 5000);
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
end $$;
select pg_temp.answers(
    pg_temp.reserve('frozen', 'call_1'), '{"success": false, "error": "wallet_frozen"}',
    'a wallet that is frozen for spending reserves nothing'
);
select pg_temp.answers(
    pg_temp.reserve('nobody', 'call_1'), '{"success": false, "error": "organization_not_found"}',
    'an organization that doesn''t exist is refused'
);

-- Nothing to hold, and more than there can be.
do $$
begin
    perform pg_temp.open_caller('free', 0);
    perform pg_temp.price_calls('free', 0);
    perform pg_temp.open_caller('rich', 9223372036854775807);
end $$;
select is(
    pg_temp.sqlstate_of($$select pg_temp.reserve('free', 'call_1')$$), null,
    'a call that costs nothing can be reserved, or is refused, but is no error'
);
select pg_temp.answers(
    pg_temp.reserve('rich', 'call_1', 1440), '{"success": true, "reserved_pence": 288000}', 'a day can be reserved'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    $$select wallet.reserve_call_credits(null, 'c')$$, 'WL001', 'p_org_id', 'an organization is required'
);
select pg_temp.raises(
    $$select wallet.reserve_call_credits(pg_temp.org('acme'), null)$$, 'WL001', 'p_call_id', 'a call id is required'
);
select pg_temp.raises(
    $$select wallet.reserve_call_credits(pg_temp.org('acme'), E' \n')$$, 'WL005', 'p_call_id',
    'a blank call id is misuse'
);
select pg_temp.raises(
    $$select wallet.reserve_call_credits(pg_temp.org('acme'), repeat('x', 256))$$, 'WL005', 'p_call_id',
    'and so is one of 256 characters'
);
select pg_temp.raises(
    $$select pg_temp.reserve('acme', 'c', 0)$$, 'WL002', 'p_estimated_minutes', 'no minutes can''t be reserved'
);
select pg_temp.raises(
    $$select pg_temp.reserve('acme', 'c', -5)$$, 'WL002', 'p_estimated_minutes', 'nor fewer than none'
);
select pg_temp.raises(
    $$select pg_temp.reserve('rich', 'c', 1441)$$, 'WL002', 'p_estimated_minutes', 'nor more than a day'
);
select pg_temp.raises(
    $$select pg_temp.reserve('acme', 'c', null)$$, 'WL001', 'p_estimated_minutes', 'and a number is required'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
