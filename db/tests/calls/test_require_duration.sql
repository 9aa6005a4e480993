begin;
select plan(6);
\ir ../support.sql

select is(wallet.require_duration('d', seconds), seconds, format('%s is a duration', seconds))
from unnest(array[0::bigint, 604800]) as seconds;
select pg_temp.raises(
    format('select wallet.require_duration(%L, %s)', 'd', seconds), 'WL002', 'd', format('%s is none', seconds)
)
from unnest(array[-1::bigint, 604801, 9223372036854775807]) as seconds;
select pg_temp.raises($$select wallet.require_duration('d', null)$$, 'WL001', 'd', 'a duration is required');

select * from finish();
rollback;
