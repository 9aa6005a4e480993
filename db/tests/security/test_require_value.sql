begin;
select plan(3);
\ir ../support.sql

select lives_ok('select wallet.require_value(''p_org_id'', gen_random_uuid())', 'a value is there');
select lives_ok('select wallet.require_value(''p_livemode'', false)', 'so is false');
select pg_temp.raises(
    'select wallet.require_value(''p_org_id'', null::uuid)', 'WL001', 'p_org_id', 'null is missing'
);

select * from finish();
rollback;
