begin;
select plan(8);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 1000, 0);
    perform pg_temp.reserve('acme', 'under way');
    perform pg_temp.bill('acme', 'over', 60);
end $$;
select is(wallet.settle_wallet(pg_temp.org('acme')), false, 'while nothing has lapsed there is nothing to settle');
select is(pg_temp.money('acme'), '1000 1000 200', 'and nothing changes');
do $$ begin perform pg_temp.later('acme', 'under way'); end $$;
select is(wallet.settle_wallet(pg_temp.org('acme')), true, 'what has lapsed is ended');
select is(pg_temp.money('acme'), '800 0 0', 'and pays what is owed');
create temporary table before as select pg_temp.everything() as state;
select is(wallet.settle_wallet(pg_temp.org('acme')), false, 'then there is nothing to settle');
select is(pg_temp.everything(), state, 'and nothing is written') from before;
select is(wallet.settle_wallet(pg_temp.org('nobody')), false, 'as for nobody');
select pg_temp.nothing_leaked();

select * from finish();
rollback;
