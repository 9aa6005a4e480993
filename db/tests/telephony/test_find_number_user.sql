begin;
select plan(6);
\ir ../support.sql
\ir numbers.sql

do $$ begin perform pg_temp.open_wallet('acme', 2000); end $$;
select is(wallet.find_number_user('+442079460000'), null, 'a number is free');
do $$ begin perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1'); end $$;
select is(wallet.find_number_user('+442079460000'), pg_temp.org('acme'), 'until it is being bought');
do $$ begin perform wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k1', 'taken'); end $$;
select is(wallet.find_number_user('+442079460000'), null, 'it is free again when that failed');
create temporary table number as select pg_temp.get_number('acme', '+442079460000') as id;
select is(wallet.find_number_user('+442079460000'), pg_temp.org('acme'), 'it is in use when it is active');
do $$ begin perform wallet.release_phone_number(pg_temp.org('acme'), id, 'test') from number; end $$;
select is(wallet.find_number_user('+442079460000'), null, 'and free when it is released');
select is(wallet.find_number_user(null), null, 'no number is nobody''s');

select * from finish();
rollback;
