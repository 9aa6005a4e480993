begin;
select plan(34);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform pg_temp.reserve('acme', 'call_1');
end $$;
create temporary table reserved as select pg_temp.reservation('acme', 'call_1') as row;

-- The number of minutes is the new total.
create temporary table extended as
select wallet.extend_reservation('call_1', 10, pg_temp.org('acme')) as answer;
select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'reservation_id', row -> 'id', 'reserved_pence', 2000,
        'requested_pence', 2000, 'active_reservations_pence', 2000, 'effective_balance_pence', 3000
    ),
    'a reservation is made longer: ten minutes in all'
)
from extended, reserved;
select is(pg_temp.money('acme'), '5000 2000 0', 'and holds what ten minutes cost');
select is(pg_temp.entries(pg_temp.org('acme')), 1::bigint, 'no money moves');
select pg_temp.answers(
    pg_temp.reservation('acme', 'call_1'),
    jsonb_build_object(
        'id', row -> 'id', 'status', 'open', 'requested_minutes', 5, 'estimated_minutes', 10, 'reserved_pence', 2000,
        'expires_at', answer -> 'expires_at'
    ),
    'it stays the same reservation'
)
from extended, reserved;
select ok(
    (answer ->> 'expires_at')::timestamptz - (row ->> 'expires_at')::timestamptz >= interval '5 minutes',
    'and is held for longer'
)
from extended, reserved;
select is(
    (select count(*) from wallet.credit_reservations where org_id = pg_temp.org('acme')), 1::bigint,
    'there is still one'
);

-- Replays.
create temporary table before_replay as
select
    pg_temp.money('acme') as money,
    pg_temp.reservation('acme', 'call_1') as row;
select pg_temp.answers(
    wallet.extend_reservation('call_1', 10, pg_temp.org('acme')),
    '{"success": true, "duplicate": true, "reserved_pence": 2000, "requested_pence": 2000}',
    'the same extension again is a duplicate'
);
select is(pg_temp.money('acme'), money, 'and holds nothing twice') from before_replay;
select is(
    pg_temp.reservation('acme', 'call_1') ->> 'expires_at', row ->> 'expires_at', 'nor for any longer'
)
from before_replay;
do $$ begin perform wallet.extend_reservation('call_1', 6, pg_temp.org('acme')); end $$;
select is(
    pg_temp.money('acme'), money, 'an older extension that comes late takes nothing away from a newer one'
)
from before_replay;
select is(
    pg_temp.reservation('acme', 'call_1') ->> 'estimated_minutes', '10', 'nor from its minutes'
);
select pg_temp.answers(
    pg_temp.reserve('acme', 'call_1'), '{"success": true, "duplicate": true}',
    'the reservation itself, sent again, is still its own duplicate'
);
select is(pg_temp.money('acme'), money, 'and changes nothing') from before_replay;

-- Without the organization, where nobody else has the call id.
select pg_temp.answers(
    wallet.extend_reservation('call_1', 15), '{"success": true, "duplicate": false, "reserved_pence": 3000}',
    'the organization need not be named'
);
do $$
begin
    perform pg_temp.open_caller('other', 5000);
    perform pg_temp.reserve('other', 'call_1');
end $$;
select pg_temp.raises(
    $$select wallet.extend_reservation('call_1', 20)$$, 'WL001', 'p_org_id', 'unless two have reserved for that id'
);
select is(pg_temp.money('acme') || ', ' || pg_temp.money('other'), '5000 3000 0, 5000 1000 0', 'then nothing is held');

-- As much as there is and no more.
select pg_temp.answers(
    wallet.extend_reservation('call_1', 26, pg_temp.org('acme')),
    '{"success": false, "error": "insufficient_balance", "shortfall_pence": 200}',
    'an extension beyond the balance is refused, for it may not use the debt limit'
);
select is(pg_temp.money('acme'), '5000 3000 0', 'and what was held stays held');
select pg_temp.answers(
    wallet.extend_reservation('call_1', 25, pg_temp.org('acme')), '{"success": true, "reserved_pence": 5000}',
    'the last penny can be had'
);
do $$
begin
    perform pg_temp.open_caller('partial', 1500);
    perform pg_temp.reserve('partial', 'call_1');
end $$;
select pg_temp.answers(
    wallet.extend_reservation('call_1', 10, pg_temp.org('partial')), '{"error": "insufficient_balance"}',
    'a part is never given where nobody asked for it'
);
select pg_temp.answers(
    wallet.extend_reservation('call_1', 10, pg_temp.org('partial'), true),
    '{"success": true, "duplicate": false, "reserved_pence": 1500, "requested_pence": 2000}',
    'where somebody did, it is'
);
select is(pg_temp.money('partial'), '1500 1500 0', 'and holds just that');
do $$ begin perform pg_temp.pay_in('partial', 'more', 10000); end $$;
select pg_temp.answers(
    wallet.extend_reservation('call_1', 20, pg_temp.org('partial')), '{"success": true, "reserved_pence": 4000}',
    'and can be made whole and longer later'
);

-- What isn't open can't be extended.
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
end $$;
create temporary table before_closed as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.extend_reservation(call_id, 10, pg_temp.org('over')),
    '{"success": false, "error": "no_active_reservation"}',
    format('%s: there is nothing to extend', call_id)
)
from unnest(array['released', 'committed', 'expired', 'never reserved']) as call_id;
select pg_temp.answers(
    wallet.extend_reservation('never reserved', 10), '{"success": false, "error": "no_active_reservation"}',
    'nor without an organization'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_closed;

-- Misuse.
select pg_temp.raises(
    $$select wallet.extend_reservation(null, 10, pg_temp.org('acme'))$$, 'WL001', 'p_call_id', 'a call id is required'
);
select pg_temp.raises(
    $$select wallet.extend_reservation('call_1', null, pg_temp.org('acme'))$$, 'WL001', 'p_estimated_minutes',
    'so are the minutes'
);
select pg_temp.raises(
    $$select wallet.extend_reservation('call_1', 0, pg_temp.org('acme'))$$, 'WL002', 'p_estimated_minutes',
    'no minutes are misuse'
);

select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
