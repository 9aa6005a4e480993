begin;
select plan(22);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform pg_temp.reserve('acme', 'call_1');
    perform pg_temp.reserve('acme', 'call_2');
end $$;

create temporary table released as select wallet.release_reservation('call_1') as answer;
select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'released_pence', 1000, 'status', 'released',
        'reservation_id', pg_temp.reservation('acme', 'call_1') -> 'id'
    ),
    'a call that didn''t take place gives back what it held'
)
from released;
select is(pg_temp.money('acme'), '5000 1000 0', 'that, and nothing of another call');
select is(pg_temp.entries(pg_temp.org('acme')), 1::bigint, 'no entry is written');
select pg_temp.answers(
    pg_temp.reservation('acme', 'call_1'),
    '{"status": "released", "reserved_pence": 1000, "actual_cost_pence": null, "transaction_id": null}',
    'the reservation says so, and what it had held'
);
select isnt(pg_temp.reservation('acme', 'call_1') ->> 'closed_at', null, 'and when it ended');

-- Again, and again.
create temporary table before_replay as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.release_reservation('call_1', pg_temp.org('acme')),
    '{"success": true, "duplicate": true, "released_pence": 1000, "status": "released"}',
    'released again it is a duplicate'
);
select is(pg_temp.everything(), state, 'that gives nothing back twice') from before_replay;

-- A longer one gives back all of it, a part gives back the part.
do $$
begin
    perform wallet.extend_reservation('call_2', 10, pg_temp.org('acme'));
    perform pg_temp.open_caller('partial', 300);
    perform pg_temp.reserve('partial', 'call_1', 5, true);
end $$;
select pg_temp.answers(
    pg_temp.release('acme', 'call_2'), '{"success": true, "released_pence": 2000}',
    'an extended one gives back all of it'
);
select is(pg_temp.money('acme'), '5000 0 0', 'so that nothing is held');
select pg_temp.raises(
    $$select wallet.release_reservation('call_1')$$, 'WL001', 'p_org_id',
    'where two organizations have that call id one must be named'
);
select pg_temp.answers(
    pg_temp.release('partial', 'call_1'), '{"success": true, "released_pence": 300}', 'a part gives back the part'
);

-- Given back means that others may spend it, and that what is owed is charged first.
do $$
begin
    perform pg_temp.open_caller('owing', 1000, 0);
    perform pg_temp.reserve('owing', 'call_1');
    perform pg_temp.bill('owing', 'long', 120);
end $$;
select is(pg_temp.money('owing'), '1000 1000 400', 'a call owes while another holds everything');
do $$ begin perform pg_temp.release('owing', 'call_1'); end $$;
select pg_temp.answers(
    pg_temp.buy('owing', 'did', 601), '{"error": "insufficient_balance", "shortfall_pence": 1}',
    'of what a release sets free a spend can''t take what is owed'
);
select pg_temp.answers(
    pg_temp.buy('owing', 'did', 600), '{"success": true, "balance_after": 0}', 'but it can take the rest'
);
select is(pg_temp.charges('owing', 'long'), 'call:long=400', 'and what was owed is charged');

-- What isn't open can't be released.
do $$
begin
    perform pg_temp.open_caller('over', 5000);
    perform pg_temp.reserve('over', 'committed');
    perform pg_temp.commit_call('over', 'committed', 60);
end $$;
create temporary table before_closed as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.release('over', 'committed'), '{"success": false, "error": "no_active_reservation"}',
    'a call that was charged gives nothing back'
);
select pg_temp.answers(
    wallet.release_reservation('never reserved'), '{"success": false, "error": "no_active_reservation"}',
    'nor does one that nobody reserved'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_closed;
do $$
begin
    perform pg_temp.reserve('over', 'expired');
    perform pg_temp.later('over', 'expired');
    perform wallet.cleanup_expired_reservations();
    perform pg_temp.release('over', 'expired');
    perform pg_temp.reserve('over', 'lapsed');
    perform pg_temp.later('over', 'lapsed');
    perform pg_temp.release('over', 'lapsed');
    perform wallet.cleanup_expired_reservations();
end $$;
select is(
    pg_temp.money('over'), '4800 0 0', 'what has lapsed is given back once, whoever comes first'
);

select pg_temp.raises(
    $$select wallet.release_reservation(null)$$, 'WL001', 'p_call_id', 'a call id is required'
);
select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
