begin;
select plan(4);

create function pg_temp.locks() returns bigint
language sql
as $$ select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() $$;

create temporary table before_locks as select pg_temp.locks() as locks;
do $$ begin perform wallet.lock_payment_intent(null); end $$;
select is(pg_temp.locks(), locks, 'no payment intent is no lock') from before_locks;
do $$ begin perform wallet.lock_payment_intent('pi_1'); end $$;
select is(pg_temp.locks(), locks + 1, 'a payment intent is locked') from before_locks;
do $$ begin perform wallet.lock_payment_intent('pi_1'); end $$;
select is(pg_temp.locks(), locks + 1, 'once, however often') from before_locks;
do $$ begin perform wallet.lock_payment_intent('pi_2'); end $$;
select is(pg_temp.locks(), locks + 2, 'another one has its own lock') from before_locks;

select * from finish();
rollback;
