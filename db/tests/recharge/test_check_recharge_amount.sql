begin;
select plan(10);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme', 1000); end $$;

create function pg_temp.change(p_change text) returns text
language plpgsql
as $$
declare
    v_constraint text;
begin
    execute format('update wallet.organizations set %s where id = %L', p_change, pg_temp.org('acme'));
    return 'done';
exception when check_violation then
    get stacked diagnostics v_constraint = constraint_name;
    return v_constraint;
end;
$$;

select is(pg_temp.change(change), expected, format('%s: %s', change, expected))
from (
    values
    ('wallet_low_balance_pence = 5000', 'done'),
    ('wallet_auto_recharge = true', 'organizations_recharge_amount_check'),
    ('wallet_auto_recharge = true, wallet_low_balance_pence = 4999', 'done'),
    ('wallet_low_balance_pence = 5000', 'organizations_recharge_amount_check'),
    ('wallet_recharge_amount_pence = 4999', 'organizations_recharge_amount_check'),
    ('wallet_recharge_amount_pence = 9000, wallet_low_balance_pence = 8999', 'done'),
    ('wallet_auto_recharge = false, wallet_low_balance_pence = 9000', 'done')
) as tried (change, expected);
select throws_ok(
    format(
        'insert into wallet.organizations (
             id, wallet_auto_recharge, wallet_low_balance_pence, wallet_recharge_amount_pence
         )
         values (%L, true, 5000, 5000)',
        pg_temp.org('initech')
    ),
    '23514',
    'the recharge threshold (5000) must be below the recharge amount (5000)',
    'a new row is checked too, and told both numbers'
);
select is(
    (
        select pg_get_triggerdef(oid) ~ 'WHEN \(\(new.wallet_auto_recharge'
        from pg_trigger
        where tgname = 'organizations_recharge_amount_check'
    ),
    true,
    'a row that is right costs no function call'
);
select is(
    (
        select array_agg(attname::text order by attname)
        from pg_trigger as t
        inner join pg_attribute as a on a.attrelid = t.tgrelid and a.attnum = any(t.tgattr)
        where t.tgname = 'organizations_recharge_amount_check'
    ),
    array['wallet_auto_recharge', 'wallet_low_balance_pence', 'wallet_recharge_amount_pence'],
    'and a charge, which sets none of these columns, not even a look'
);

select * from finish();
rollback;
