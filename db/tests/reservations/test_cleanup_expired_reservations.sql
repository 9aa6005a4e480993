begin;
select plan(18);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    for v_wallet in 1 .. 3 loop
        perform pg_temp.open_caller('wallet ' || v_wallet, 5000);
        perform pg_temp.reserve('wallet ' || v_wallet, 'lapsed 1');
        perform pg_temp.reserve('wallet ' || v_wallet, 'lapsed 2', 2);
        perform pg_temp.reserve('wallet ' || v_wallet, 'open', 1);
        perform pg_temp.later('wallet ' || v_wallet, 'lapsed 1');
        perform pg_temp.later('wallet ' || v_wallet, 'lapsed 2', '2 days');
    end loop;
end $$;

select pg_temp.raises(
    $$select wallet.cleanup_expired_reservations(0)$$, 'WL002', 'p_limit', 'a limit of none is misuse'
);
select pg_temp.raises(
    $$select wallet.cleanup_expired_reservations(null)$$, 'WL001', 'p_limit', 'a limit is required'
);
select pg_temp.answers(
    wallet.cleanup_expired_reservations(),
    '{"success": true, "expired": 6, "released_pence": 4200}',
    'the worker ends what has lapsed, of every wallet'
);
select is(pg_temp.money('wallet ' || n), '5000 200 0', format('wallet %s holds what is open and no more', n))
from generate_series(1, 3) as n;
select pg_temp.answers(
    pg_temp.reservation('wallet 1', 'lapsed 1'), '{"status": "expired", "reserved_pence": 1000}',
    'a reservation that nobody committed has expired'
);
select isnt(pg_temp.reservation('wallet 1', 'lapsed 1') ->> 'closed_at', null, 'and says when it ended');
select pg_temp.answers(
    pg_temp.reservation('wallet 1', 'open'), '{"status": "open"}', 'one whose time is to come stays'
);

create temporary table before_replay as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.cleanup_expired_reservations(), '{"success": true, "expired": 0, "released_pence": 0}',
    'a second run finds nothing'
);
select is(pg_temp.everything(), state, 'and writes nothing') from before_replay;

-- A few at a time.
do $$
begin
    perform pg_temp.open_caller('many', 5000);
    for v_call in 1 .. 5 loop
        perform pg_temp.reserve('many', 'call ' || v_call, 1);
        perform pg_temp.later('many', 'call ' || v_call);
    end loop;
    perform pg_temp.open_caller('more', 5000);
    perform pg_temp.reserve('more', 'call 1', 1);
    perform pg_temp.later('more', 'call 1');
    for v_run in 1 .. 6 loop
        perform wallet.cleanup_expired_reservations(1);
    end loop;
end $$;
select is(
    pg_temp.money('many') || ', ' || pg_temp.money('more'), '5000 0 0, 5000 0 0',
    'with a limit it needs several runs, and gets there'
);

-- Worth a worker's while: whoever wants the money need not wait for one.
do $$
begin
    perform pg_temp.open_caller('idle', 1000, 0);
    perform pg_temp.reserve('idle', 'call_1');
    perform pg_temp.later('idle', 'call_1');
end $$;
select is(wallet.lapsed_pence(pg_temp.org('idle')), 1000::bigint, 'what has lapsed can be told before a worker comes');
select pg_temp.answers(
    pg_temp.spend('idle', 'other', 1000), '{"success": true, "balance_after": 0}', 'and is there to be spent'
);

-- What a release sets free pays what is owed first.
do $$
begin
    perform pg_temp.open_caller('owing', 1000, 0);
    perform pg_temp.reserve('owing', 'call_1');
    perform pg_temp.bill('owing', 'long', 60);
    perform pg_temp.later('owing', 'call_1');
    perform wallet.cleanup_expired_reservations();
end $$;
select pg_temp.answers(
    pg_temp.buy('owing', 'did', 801), '{"error": "insufficient_balance", "shortfall_pence": 1}',
    'what is owed comes first'
);
select pg_temp.answers(pg_temp.buy('owing', 'did', 800), '{"success": true, "balance_after": 0}', 'the rest is free');

select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
