begin;
select plan(4);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 1000, 0);
    perform pg_temp.reserve('acme', 'lapsed');
    perform pg_temp.later('acme', 'lapsed');
end $$;
select pg_temp.answers(
    to_jsonb(wallet.lock_wallet(pg_temp.org('acme'))),
    '{"wallet_balance_pence": 1000, "reserved_pence": 0, "owed_pence": 0}',
    'a wallet is settled before it is looked at'
);
select is(pg_temp.money('acme'), '1000 0 0', 'for good');
select is((wallet.lock_wallet(pg_temp.org('nobody'))).id, null, 'there is nothing to see of nobody');
select is((wallet.lock_wallet(null)).id, null, 'nor of no organization');

select * from finish();
rollback;
