begin;
select plan(8);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform pg_temp.open_caller('other', 5000);
    perform pg_temp.open_caller('third', 5000);
    perform pg_temp.reserve(name, 'lapsed') from unnest(array['acme', 'other', 'third']) as name;
    perform pg_temp.later(name, 'lapsed') from unnest(array['acme', 'other', 'third']) as name;
    perform pg_temp.reserve('third', 'open', 1);
    perform pg_temp.reserve('acme', 'open', 1);
    perform pg_temp.later('third', 'lapsed');
end $$;
select pg_temp.answers(
    to_jsonb(e), '{"expired": 1, "released_pence": 1000}', 'what has lapsed in these wallets is ended'
)
from wallet.expire_reservations(array[pg_temp.org('other'), pg_temp.org('nobody')]) as e;
select is(pg_temp.money('other'), '5000 0 0', 'and given back');
select pg_temp.answers(
    pg_temp.reservation('other', 'lapsed'), '{"status": "expired", "reserved_pence": 1000}', 'it says what it held'
);
select is(pg_temp.money('acme'), '5000 200 0', 'other wallets do so by themselves, as soon as they are used');
select pg_temp.answers(
    to_jsonb(e), '{"expired": 0, "released_pence": 0}', 'ended once, there is nothing to end'
)
from wallet.expire_reservations(array[pg_temp.org('acme'), pg_temp.org('other')]) as e;
select pg_temp.answers(to_jsonb(e), '{"expired": 0, "released_pence": 0}', 'nor is there in no wallets')
from wallet.expire_reservations(null) as e;
select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
