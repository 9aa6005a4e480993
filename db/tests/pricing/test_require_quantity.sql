begin;
select plan(5);
\ir ../support.sql

select is(wallet.require_quantity('p_quantity', 0, 0), 0::bigint, '0 where 0 is allowed');
select is(wallet.require_quantity('p_quantity', 1, 1), 1::bigint, '1 where it must be 1 or more');
select pg_temp.raises(
    'select wallet.require_quantity(''p_quantity'', null, 0)', 'WL001', 'p_quantity', 'null is missing'
);
select pg_temp.raises(
    'select wallet.require_quantity(''p_quantity'', -1, 0)', 'WL002', 'p_quantity', '-1 is misuse'
);
select pg_temp.raises(
    'select wallet.require_quantity(''p_quantity'', 0, 1)', 'WL002', 'p_quantity', 'and 0 where it must be 1 or more'
);

select * from finish();
rollback;
