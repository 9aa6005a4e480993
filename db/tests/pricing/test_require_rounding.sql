begin;
select plan(6);
\ir ../support.sql

select is(wallet.require_rounding('p_rounding', way), way, way || ' is a way of rounding')
from unnest(array['up', 'nearest', 'down']) as way;
select pg_temp.raises(
    'select wallet.require_rounding(''p_rounding'', null)', 'WL001', 'p_rounding', 'null is missing'
);
select pg_temp.raises(
    'select wallet.require_rounding(''p_rounding'', ''Up'')', 'WL006', 'p_rounding', 'another word is misuse'
);
select is(
    wallet.require_rounding('p_rounding', (value::wallet.price_rounding)::text), value,
    'what a price may hold is what a caller may ask for'
)
from (values ('nearest')) as way (value);

select * from finish();
rollback;
