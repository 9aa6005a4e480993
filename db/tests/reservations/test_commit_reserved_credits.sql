begin;
select plan(74);
\ir ../support.sql
\ir reservations.sql

-- A call shorter than its reservation: the rest is released.
do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform wallet.reserve_call_credits(pg_temp.org('acme'), 'call_1', 'vapi_1');
end $$;
create temporary table committed as select wallet.commit_reserved_credits('call_1', 120) as answer;
select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "reserved_pence": 1000, "actual_cost_pence": 400, "charged_pence": 400,
        "owed_pence": 0, "released_pence": 600, "balance_before_pence": 5000, "balance_after_pence": 4600,
        "actual_minutes": 2, "duration_seconds": 120
    }',
    'two minutes of a reservation of five are charged, and the rest is released'
)
from committed;
select is(pg_temp.money('acme'), '4600 0 0', 'nothing is held any more');
select is(pg_temp.charges('acme', 'call_1'), 'call:call_1=400', 'there is one entry');
select pg_temp.answers(
    to_jsonb(e),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'call_deduction', 'direction', 'debit', 'amount_pence', 400,
        'call_id', 'call_1', 'vapi_call_id', 'vapi_1', 'balance_before_pence', 5000, 'balance_after_pence', 4600
    ),
    'which is a call''s'
)
from committed, wallet.credit_transactions as e
where e.org_id = pg_temp.org('acme') and e.call_id = 'call_1';
select ok(e.cost_breakdown ?& array['quantity', 'unit_price', 'rounding', 'exchange_rate'], 'and explains its amount')
from wallet.credit_transactions as e
where e.org_id = pg_temp.org('acme') and e.call_id = 'call_1';
select pg_temp.answers(
    pg_temp.reservation('acme', 'call_1'),
    jsonb_build_object(
        'status', 'committed', 'reserved_pence', 1000, 'duration_seconds', 120, 'actual_cost_pence', 400,
        'charged_pence', 400, 'owed_pence', 0, 'transaction_id', answer -> 'transaction_id'
    ),
    'the reservation says what became of it'
)
from committed;
select pg_temp.answers(
    pg_temp.call('acme', 'call_1'),
    jsonb_build_object(
        'vapi_call_id', 'vapi_1', 'source', 'reservation', 'reconciled', false, 'duration_seconds', 120,
        'cost_pence', 400, 'charged_pence', 400, 'owed_pence', 0, 'transaction_id', answer -> 'transaction_id',
        'reported_at', null
    ),
    'the call is recorded'
)
from committed;
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    '{"total_calls": 1, "total_spent_pence": 400, "reserved_pence": 0, "available_pence": 4600}',
    'and counted'
);

-- Replays.
create temporary table before_replay as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.commit_reserved_credits('call_1', 120),
    committed.answer || '{"duplicate": true}',
    'committed again it is a duplicate with the original numbers'
)
from committed;
select is(pg_temp.everything(), state, 'that writes nothing') from before_replay;
select ok(
    not (answer ->> 'success')::boolean or (answer -> 'actual_cost_pence') = '400',
    'with another duration it isn''t charged as if it were another call'
)
from (select wallet.commit_reserved_credits('call_1', 600) as answer) as a;
select is(pg_temp.everything(), state, 'and writes nothing') from before_replay;

-- Exactly what was reserved; by the second; the general price.
do $$
begin
    perform pg_temp.open_caller('exact', 1000, 0);
    perform pg_temp.reserve('exact', 'call_1');
    perform pg_temp.open_wallet('general', 5000);
    perform pg_temp.reserve('general', 'call_30');
    perform pg_temp.reserve('general', 'call_60');
    perform pg_temp.reserve('general', 'call_91');
    perform pg_temp.reserve('general', 'call_1');
end $$;
select pg_temp.answers(
    pg_temp.commit_call('exact', 'call_1', 300),
    '{"success": true, "charged_pence": 1000, "released_pence": 0, "owed_pence": 0, "balance_after_pence": 0}',
    'the last penny that was reserved is there to be charged'
);
select is(
    pg_temp.commit_call('general', 'call_' || seconds, seconds) -> 'actual_cost_pence', to_jsonb(pence),
    format('%s seconds cost %s pence', seconds, pence)
)
from (values (30, 28), (60, 56), (91, 85), (1, 2)) as p (seconds, pence);

-- Longer than its reservation: all of it is charged, into debt if need be.
do $$
begin
    perform pg_temp.open_caller('longer', 5000);
    perform pg_temp.reserve('longer', 'call_1');
    perform pg_temp.open_caller('debt', 1000, 500);
    perform pg_temp.reserve('debt', 'call_1');
end $$;
select pg_temp.answers(
    pg_temp.commit_call('longer', 'call_1', 600),
    '{
        "success": true, "reserved_pence": 1000, "actual_cost_pence": 2000, "charged_pence": 2000, "owed_pence": 0,
        "released_pence": 0, "balance_after_pence": 3000
    }',
    'a call longer than its reservation is charged in full from the balance'
);
select pg_temp.answers(
    pg_temp.commit_call('debt', 'call_1', 450),
    '{"actual_cost_pence": 1500, "charged_pence": 1500, "owed_pence": 0, "balance_after_pence": -500}',
    'and down to the debt limit'
);

-- Longer still: the rest is owed, and collected first.
do $$
begin
    perform pg_temp.open_caller('owing', 1000, 500);
    perform pg_temp.reserve('owing', 'call_1');
end $$;
create temporary table owing as select pg_temp.commit_call('owing', 'call_1', 900) as answer;
select pg_temp.answers(
    answer,
    '{
        "success": true, "actual_cost_pence": 3000, "charged_pence": 1500, "owed_pence": 1500, "released_pence": 0,
        "balance_before_pence": 1000, "balance_after_pence": -500, "duration_seconds": 900, "actual_minutes": 15
    }',
    'beyond the debt limit the rest is owed'
)
from owing;
select is(pg_temp.money('owing'), '-500 0 1500', 'by the wallet');
select pg_temp.answers(
    pg_temp.call('owing', 'call_1'), '{"cost_pence": 3000, "charged_pence": 1500, "owed_pence": 1500}', 'the call'
);
select pg_temp.answers(
    pg_temp.reservation('owing', 'call_1'),
    '{"status": "committed", "actual_cost_pence": 3000, "charged_pence": 1500, "owed_pence": 1500}',
    'and the reservation'
);
select pg_temp.books_are_right();
select pg_temp.answers(
    pg_temp.spend('owing', 'other', 1), '{"error": "debt_limit_exceeded"}', 'nothing else can be spent meanwhile'
);
select pg_temp.answers(
    pg_temp.pay_in('owing', 'first', 600), '{"success": true, "balance_before": -500, "balance_after": 100}',
    'a top-up is answered as itself'
);
select is(pg_temp.money('owing'), '-500 0 900', 'and pays what is owed, before anybody else can have it');
select pg_temp.answers(
    pg_temp.spend('owing', 'other', 1), '{"error": "debt_limit_exceeded"}', 'so that nothing can be spent still'
);
do $$ begin perform pg_temp.pay_in('owing', 'second', 100); end $$;
select is(pg_temp.money('owing'), '-500 0 800', 'the next top-up as well');
do $$ begin perform pg_temp.pay_in('owing', 'third', 2000); end $$;
select is(pg_temp.money('owing'), '700 0 0', 'until nothing is owed');
select is(
    pg_temp.charges('owing', 'call_1'),
    'call:call_1=1500 call_owed:call_1:1=600 call_owed:call_1:2=100 call_owed:call_1:3=800',
    'each time an entry of its own was written'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('owing')), '{"total_calls": 1, "total_spent_pence": 3000}',
    'of what is still one call'
);
select pg_temp.answers(
    pg_temp.call('owing', 'call_1'),
    '{"cost_pence": 3000, "charged_pence": 3000, "owed_pence": 0, "collections": 3}', 'that is paid'
);
do $$ begin perform pg_temp.pay_in('owing', 'fourth', 100); end $$;
select is(pg_temp.money('owing'), '800 0 0', 'and only once');
do $$ begin perform pg_temp.pay_in('owing', 'third', 2000); end $$;
select is(pg_temp.money('owing'), '800 0 0', 'a top-up told again collects nothing again');
create temporary table late as select pg_temp.commit_call('owing', 'call_1', 900) as answer;
select is(
    late.answer - array['charged_pence', 'owed_pence'],
    (owing.answer || '{"duplicate": true}') - array['charged_pence', 'owed_pence'],
    'a late replay of the commit tells what it did then'
)
from owing, late;
select is(
    (answer ->> 'charged_pence')::bigint + (answer ->> 'owed_pence')::bigint, 3000::bigint,
    'and of what it costs nothing is missing'
)
from late;

-- What others hold is not for this call, and its own hold is not for others.
do $$
begin
    perform pg_temp.open_caller('two', 2000, 500);
    perform pg_temp.reserve('two', 'a');
    perform pg_temp.reserve('two', 'b');
end $$;
select pg_temp.answers(
    pg_temp.commit_call('two', 'a', 600),
    '{"actual_cost_pence": 2000, "charged_pence": 1500, "owed_pence": 500}',
    'a call that is longer can''t take what another one holds'
);
select is(pg_temp.money('two'), '500 1000 500', 'so that the hold stays');
select pg_temp.answers(
    pg_temp.commit_call('two', 'b', 300),
    '{"actual_cost_pence": 1000, "charged_pence": 1000, "owed_pence": 0, "balance_after_pence": -500}',
    'and what another call owes isn''t taken out of a hold'
);
select is(pg_temp.money('two'), '-500 0 500', 'it is owed until there is money');
do $$
begin
    perform pg_temp.open_caller('much', 1000, 500);
    perform pg_temp.reserve('much', 'held');
    perform pg_temp.bill('much', 'long', 1200);
end $$;
select is(pg_temp.money('much'), '500 1000 3500', 'a debt larger than all that there is');
select pg_temp.answers(
    pg_temp.commit_call('much', 'held', 300), '{"actual_cost_pence": 1000, "charged_pence": 1000, "owed_pence": 0}',
    'leaves to a call what was held for it'
);
select is(pg_temp.money('much'), '-500 0 3500', 'and no room above the debt limit is left unused');
do $$
begin
    perform pg_temp.open_caller('rest', 1000, 500);
    perform pg_temp.reserve('rest', 'held');
    perform pg_temp.bill('rest', 'long', 1200);
    perform pg_temp.commit_call('rest', 'held', 60);
end $$;
select is(pg_temp.money('rest'), '-500 0 2700', 'what a call leaves of its hold goes to what is owed');
do $$
begin
    perform pg_temp.open_caller('more', 1000, 500);
    perform pg_temp.reserve('more', 'held');
    perform pg_temp.bill('more', 'long', 1200);
    perform pg_temp.commit_call('more', 'held', 600);
end $$;
select is(
    pg_temp.money('more') || ', ' || (pg_temp.call('more', 'held') ->> 'owed_pence'), '-500 0 4500, 1000',
    'what a call costs above its hold waits for what was owed before'
);

-- Nothing to charge.
do $$
begin
    perform pg_temp.open_caller('silent', 1000);
    perform pg_temp.reserve('silent', 'call_1');
end $$;
select pg_temp.answers(
    pg_temp.commit_call('silent', 'call_1', 0),
    '{
        "success": true, "duplicate": false, "actual_cost_pence": 0, "charged_pence": 0, "owed_pence": 0,
        "released_pence": 1000, "duration_seconds": 0, "actual_minutes": 0, "balance_before_pence": 1000,
        "balance_after_pence": 1000, "transaction_id": null
    }',
    'a call of zero seconds costs nothing and releases everything'
);
select is(pg_temp.money('silent'), '1000 0 0', 'nothing is held or charged');
select is(pg_temp.entries(pg_temp.org('silent')), 1::bigint, 'no entry is written');
select pg_temp.answers(
    pg_temp.call('silent', 'call_1'), '{"duration_seconds": 0, "cost_pence": 0, "transaction_id": null}',
    'and it is recorded'
);
select pg_temp.answers(
    pg_temp.commit_call('silent', 'call_1', 0), '{"success": true, "duplicate": true, "actual_cost_pence": 0}',
    'once'
);

-- After its time.
do $$
begin
    perform pg_temp.open_caller('late', 2000, 500);
    perform pg_temp.reserve('late', 'lapsed');
    perform pg_temp.later('late', 'lapsed');
    perform pg_temp.reserve('late', 'expired');
    perform pg_temp.later('late', 'expired');
    perform wallet.cleanup_expired_reservations();
    perform pg_temp.reserve('late', 'lapsing');
    perform pg_temp.later('late', 'lapsing');
end $$;
select pg_temp.answers(
    pg_temp.commit_call('late', 'expired', 300),
    '{
        "success": true, "duplicate": false, "actual_cost_pence": 1000, "charged_pence": 1000, "owed_pence": 0,
        "released_pence": 0
    }',
    'a commit after the reservation has expired still charges'
);
select pg_temp.answers(
    pg_temp.reservation('late', 'expired'), '{"status": "committed", "charged_pence": 1000, "owed_pence": 0}',
    'and the reservation is committed after all'
);
select pg_temp.answers(
    pg_temp.commit_call('late', 'expired', 300), '{"success": true, "duplicate": true, "charged_pence": 1000}', 'once'
);
select pg_temp.answers(
    pg_temp.commit_call('late', 'lapsing', 300), '{"success": true, "charged_pence": 1000, "owed_pence": 0}',
    'so does one whose time has passed and that no worker has seen'
);
select is(pg_temp.money('late'), '0 0 0', 'nothing stays held');
select pg_temp.answers(
    pg_temp.commit_call('late', 'lapsed', 300),
    '{"success": true, "charged_pence": 500, "owed_pence": 500, "balance_after_pence": -500}',
    'what others have spent since is not there any more: it goes into debt, and the rest is owed'
);

-- Frozen: the call has taken place.
do $$
begin
    perform pg_temp.open_caller('frozen', 1000);
    perform pg_temp.reserve('frozen', 'call_1');
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
end $$;
select is(
    (answer ->> 'success')::boolean
    and (answer ->> 'charged_pence')::bigint + (answer ->> 'owed_pence')::bigint = 400,
    true,
    'a call of a wallet that was frozen meanwhile is charged, or owed, and not lost'
)
from (select pg_temp.commit_call('frozen', 'call_1', 120) as answer) as a;
select is(
    (select reserved_pence::bigint from wallet.organizations where id = pg_temp.org('frozen')), 0::bigint,
    'and holds nothing any more'
);

-- Without a reservation.
do $$
begin
    perform pg_temp.open_caller('none', 1000);
    perform pg_temp.reserve('none', 'released');
    perform pg_temp.release('none', 'released');
end $$;
create temporary table before_refusal as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.commit_reserved_credits('unknown', 60),
    '{"success": false, "error": "no_active_reservation", "fallback_to_direct_billing": true}',
    'a call that nobody reserved is to be billed directly'
);
select pg_temp.answers(
    pg_temp.commit_call('none', 'unknown', 60),
    '{"success": false, "error": "no_active_reservation", "fallback_to_direct_billing": true}',
    'also where the organization is named'
);
select pg_temp.answers(
    pg_temp.commit_call('none', 'released', 60),
    '{"success": false, "error": "no_active_reservation", "fallback_to_direct_billing": true}',
    'as is one whose reservation was released'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_refusal;
select pg_temp.answers(
    pg_temp.bill('none', 'released', 60), '{"success": true, "duplicate": false, "charged_pence": 200}',
    'which charges it'
);

-- Two organizations with one call id.
do $$
begin
    perform pg_temp.open_caller('left', 1000);
    perform pg_temp.open_caller('right', 1000);
    perform pg_temp.reserve('left', 'shared');
    perform pg_temp.reserve('right', 'shared');
end $$;
select pg_temp.raises(
    $$select wallet.commit_reserved_credits('shared', 60)$$, 'WL001', 'p_org_id',
    'where two organizations share a call id one must be named'
);
select pg_temp.answers(
    pg_temp.commit_call('right', 'shared', 60), '{"success": true, "charged_pence": 200}', 'and that one is charged'
);
select is(
    pg_temp.money('left') || ', ' || pg_temp.money('right'), '1000 1000 0, 800 0 0', 'not the other'
);

-- One call of the provider under two ids of ours.
do $$
begin
    perform pg_temp.open_caller('twice', 5000);
    perform wallet.reserve_call_credits(pg_temp.org('twice'), 'call_1', 'vapi_1');
    perform wallet.reserve_call_credits(pg_temp.org('twice'), 'call_2', 'vapi_1');
    perform wallet.bill_call(pg_temp.org('twice'), 'call_3', 60, 'vapi_1');
    perform pg_temp.commit_call('twice', 'call_1', 60);
    perform pg_temp.commit_call('twice', 'call_2', 60);
end $$;
select is(
    pg_temp.money('twice'), '4800 0 0', 'a call of the provider is charged once, and each hold ends with its call'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    $$select wallet.commit_reserved_credits(null, 60)$$, 'WL001', 'p_call_id', 'a call id is required'
);
select pg_temp.raises(
    $$select pg_temp.commit_call('left', 'shared', null)$$, 'WL001', 'p_actual_duration_seconds',
    'so is a duration'
);
select pg_temp.raises(
    $$select pg_temp.commit_call('left', 'shared', -1)$$, 'WL002', 'p_actual_duration_seconds',
    'which may not be negative'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
