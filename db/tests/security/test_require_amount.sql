begin;
select plan(5);
\ir ../support.sql

select lives_ok('select wallet.require_amount(''p_amount_pence'', 1)', 'one penny is an amount');
select lives_ok(
    'select wallet.require_amount(''p_amount_pence'', 9223372036854775807)', 'so is the largest bigint'
);
select pg_temp.raises(
    'select wallet.require_amount(''p_amount_pence'', null)', 'WL001', 'p_amount_pence', 'null is missing'
);
select pg_temp.raises(
    'select wallet.require_amount(''p_amount_pence'', 0)', 'WL002', 'p_amount_pence', '0 is not positive'
);
select pg_temp.raises(
    'select wallet.require_amount(''p_amount_pence'', -1)', 'WL002', 'p_amount_pence', 'nor is -1'
);

select * from finish();
rollback;
