begin;
select plan(4);

create function pg_temp.locks() returns bigint
language sql
as $$ select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() $$;

create temporary table before_locks as select pg_temp.locks() as locks;
do $$ begin perform wallet.lock_sms('SM1'); end $$;
select is(pg_temp.locks(), locks + 1, 'a Twilio id is locked') from before_locks;
do $$ begin perform wallet.lock_sms('SM1'); end $$;
select is(pg_temp.locks(), locks + 1, 'once, however often') from before_locks;
do $$ begin perform wallet.lock_sms('SM2'); end $$;
select is(pg_temp.locks(), locks + 2, 'another one has its own lock') from before_locks;
do $$ begin perform wallet.lock_sms('SM' || n) from generate_series(1, 20000) as n; end $$;
select is(pg_temp.locks(), locks + 1024, 'any number of ids share 1024 locks') from before_locks;

select * from finish();
rollback;
