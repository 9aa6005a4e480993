begin;
select plan(9);
\ir ../support.sql

select is(wallet.require_currency('p_currency', 'jpy'), 'jpy', 'a currency is answered');
select pg_temp.raises(
    'select wallet.require_currency(''p_currency'', null)', 'WL001', 'p_currency', 'null is missing'
);
select pg_temp.raises(
    format('select wallet.require_currency(''p_currency'', %L)', value), 'WL006', 'p_currency',
    format('%L is no currency', value)
)
from unnest(array['', 'GBP', 'gb', 'gbpp', '£', 'gb ', E'gbp\n']) as value;

select * from finish();
rollback;
