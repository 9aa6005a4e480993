begin;
select plan(5);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform pg_temp.reserve('acme', 'lapsed 1');
    perform pg_temp.reserve('acme', 'lapsed 2', 2);
    perform pg_temp.reserve('acme', 'open', 1);
    perform pg_temp.reserve('acme', 'released', 3);
    perform pg_temp.release('acme', 'released');
    perform pg_temp.open_caller('other', 5000);
    perform pg_temp.reserve('other', 'lapsed 1');
    perform pg_temp.later('other', 'lapsed 1');
end $$;
select is(wallet.lapsed_pence(pg_temp.org('acme')), 0::bigint, 'nothing has lapsed before its time');
do $$
begin
    perform pg_temp.later('acme', 'lapsed 1');
    perform pg_temp.later('acme', 'lapsed 2');
    perform pg_temp.later('acme', 'released');
end $$;
create temporary table before as select pg_temp.everything() as state;
select is(wallet.lapsed_pence(pg_temp.org('acme')), 1400::bigint, 'what has lapsed is the sum of its reservations');
select is(pg_temp.everything(), state, 'to ask writes nothing') from before;
do $$ begin perform wallet.cleanup_expired_reservations(); end $$;
select is(wallet.lapsed_pence(pg_temp.org('acme')), 0::bigint, 'once it is given back it is nothing');
select is(wallet.lapsed_pence(pg_temp.org('nobody')), 0::bigint, 'nor is it of nobody');

select * from finish();
rollback;
