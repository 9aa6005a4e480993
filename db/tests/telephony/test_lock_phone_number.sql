begin;
select plan(4);

create function pg_temp.locks() returns bigint
language sql
as $$ select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() $$;

create temporary table before_locks as select pg_temp.locks() as locks;
do $$ begin perform wallet.lock_phone_number('+442079460000'); end $$;
select is(pg_temp.locks(), locks + 1, 'a number is locked') from before_locks;
do $$ begin perform wallet.lock_phone_number('+442079460000'); end $$;
select is(pg_temp.locks(), locks + 1, 'once, however often') from before_locks;
do $$ begin perform wallet.lock_phone_number('+442079460001'); end $$;
select is(pg_temp.locks(), locks + 2, 'another one has its own lock') from before_locks;
do $$ begin perform wallet.lock_phone_number('+4420' || n) from generate_series(1, 20000) as n; end $$;
select is(pg_temp.locks(), locks + 1024, 'any number of them share 1024 locks') from before_locks;

select * from finish();
rollback;
