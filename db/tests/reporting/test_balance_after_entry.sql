begin;
select plan(4);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 0, 0, 1300);
end $$;

select is(wallet.balance_after_entry(pg_temp.org('acme'), 0), 0::bigint, 'before the first entry the balance is 0');
select is(wallet.balance_after_entry(pg_temp.org('acme'), 1), 1000::bigint, 'after the first it is what that left');
select is(wallet.balance_after_entry(pg_temp.org('acme'), 2), -300::bigint, 'after the second it may be a debt');
select is(wallet.balance_after_entry(pg_temp.org('nobody'), 1), 0::bigint, 'a wallet that isn''t there holds nothing');

select * from finish();
rollback;
