begin;
select plan(4);
\ir ../support.sql
\ir reports.sql
\ir runs.sql

do $$ begin perform pg_temp.claim('ann', 2); end $$;
select is(
    (wallet.lock_call_reconciliation('ann', pg_temp.day(2), pg_temp.day(1))).claimed_by, 'ann',
    'a worker locks its window'
);
select is(
    (wallet.lock_call_reconciliation(worker, pg_temp.day(n), pg_temp.day(n - 1))).from_at, null,
    format('%s has nothing to lock %s days ago', worker, n)
)
from (values ('bob', 2), ('ann', 3)) as other (worker, n);
do $$ begin perform pg_temp.fail('ann', 2); end $$;
select is(
    (wallet.lock_call_reconciliation('ann', pg_temp.day(2), pg_temp.day(1))).from_at, null,
    'nor one that was given back'
);

select * from finish();
rollback;
