begin;
select plan(3);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 1000);
    perform wallet.hold_credits(pg_temp.org('acme'), 300);
end $$;
select is(pg_temp.money('acme'), '1000 300 0', 'money is held');
do $$ begin perform wallet.hold_credits(pg_temp.org('acme'), -100); end $$;
select is(pg_temp.money('acme'), '1000 200 0', 'and given back');
select throws_ok(
    $$select wallet.hold_credits(pg_temp.org('acme'), -201)$$, '23514', null, 'but not more than was held'
);

select * from finish();
rollback;
