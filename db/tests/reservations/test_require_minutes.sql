begin;
select plan(7);
\ir ../support.sql

select is(wallet.require_minutes('m', minutes), minutes, format('%s is a number of minutes', minutes))
from unnest(array[1, 1440]) as minutes;
select pg_temp.raises(
    format('select wallet.require_minutes(%L, %s)', 'm', minutes), 'WL002', 'm', format('%s is none', minutes)
)
from unnest(array[0, -1, 1441, 2147483647]) as minutes;
select pg_temp.raises($$select wallet.require_minutes('m', null)$$, 'WL001', 'm', 'a number is required');

select * from finish();
rollback;
