begin;
select plan(28);
\ir ../support.sql
\ir ../stripe/events.sql
\ir ../recharge/recharges.sql
\ir tenants.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform pg_temp.open_wallet('globex', 1000);
end $$;

select is(
    pg_temp.as_tenant('acme', 'set_own_auto_recharge(true, 600, 6000)'),
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'enabled', true, 'threshold_pence', 600,
        'amount_pence', 6000, 'max_per_day', 5, 'max_per_month', 50, 'max_pence_per_day', 50000,
        'max_pence_per_month', 200000, 'cooldown_seconds', 900, 'max_declines', 3, 'has_payment_method', false,
        'payment_method', null, 'blocked_because', null, 'obstacle', 'no_payment_method', 'open_attempt', null
    ),
    'a tenant turns it on, with its threshold and amount'
);
select results_eq(
    $$
        select setting, old_value, new_value, actor::text
        from wallet.organization_changes
        where org_id = pg_temp.org('acme')
        order by setting
    $$,
    $$
        values
        ('auto_recharge.amount_pence', '5000', '6000', 'user:user_acme'),
        ('auto_recharge.enabled', 'false', 'true', 'user:user_acme'),
        ('auto_recharge.threshold_pence', '500', '600', 'user:user_acme')
    $$,
    'it is kept which user did so'
);
select is(
    pg_temp.as_tenant('acme', 'get_own_auto_recharge()'),
    pg_temp.as_tenant('acme', 'set_own_auto_recharge(true, 600, 6000)') - 'duplicate',
    'what was set is what is told'
);
select pg_temp.answers(
    pg_temp.as_tenant('acme', 'set_own_auto_recharge(true)'),
    '{"success": true, "duplicate": true, "threshold_pence": 600, "amount_pence": 6000}',
    'what is left out stays, and the same again changes nothing'
);
select pg_temp.answers(
    pg_temp.as_tenant('acme', 'set_own_auto_recharge(true, p_amount_pence => 7000)'),
    '{"duplicate": false, "threshold_pence": 600, "amount_pence": 7000}', 'the amount alone can be changed'
);
select pg_temp.answers(
    pg_temp.as_tenant('acme', 'set_own_auto_recharge(true, 0)'),
    '{"duplicate": false, "threshold_pence": 0, "amount_pence": 7000}', 'so can the threshold, down to 0'
);
select pg_temp.answers(
    pg_temp.as_tenant('acme', 'set_own_auto_recharge(false)'),
    '{"success": true, "duplicate": false, "enabled": false, "obstacle": "off"}', 'and it can be turned off'
);
select pg_temp.answers(
    wallet.get_auto_recharge(pg_temp.org('globex')),
    '{"enabled": false, "threshold_pence": 500, "amount_pence": 5000}', 'another organization''s is as it was'
);

-- How much may be charged in a day or a month is the seller's to say.
select is(
    (
        select string_agg(format_type(t, null), ' ' order by n)
        from pg_proc, unnest(proargtypes) with ordinality as argument (t, n)
        where proname = 'set_own_auto_recharge'
    ),
    'boolean bigint bigint',
    'a tenant has no say in its limits'
);
do $$
begin
    perform wallet.set_auto_recharge(pg_temp.org('acme'), false, 'ann', p_max_pence_per_day => 8000, p_max_per_day => 2);
end $$;
select pg_temp.answers(
    pg_temp.as_tenant('acme', 'set_own_auto_recharge(true, 0, 8000)'),
    '{"success": true, "amount_pence": 8000, "max_pence_per_day": 8000, "max_per_day": 2}',
    'as much as may be charged in a day may be asked for, and the limits stay'
);
create temporary table misuse (arguments, sqlstate, field) as
values
('true, 0, 8001', 'WL006', 'p_max_pence_per_day'),
('true, 8000, 8000', 'WL006', 'p_threshold_pence'),
('true, -1', 'WL006', 'p_threshold_pence'),
('true, 0, 0', 'WL006', 'p_amount_pence'),
('true, 0, -5000', 'WL006', 'p_amount_pence'),
('null, 100, 5000', 'WL001', 'p_enabled');
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.tenant_raises(
    'acme', format('set_own_auto_recharge(%s)', arguments), sqlstate, field,
    format('%s is checked: %s', field, arguments)
)
from misuse;
select is(pg_temp.everything(), state, 'nothing of it is written') from before_misuse;

-- It asks for money at once where the wallet is low, and takes that back.
do $$
begin
    perform pg_temp.open_wallet('low', 100);
    perform wallet.attach_stripe_customer(pg_temp.org('low'), 'cus_low');
    perform wallet.keep_payment_method(pg_temp.org('low'), 'pm_low');
end $$;
select is(
    pg_temp.as_tenant('low', 'set_own_auto_recharge(true)') #>> '{open_attempt,state}', 'requested',
    'a wallet that is low already is recharged at once'
);
select is(pg_temp.attempts('low'), 'requested', 'by one attempt');
select pg_temp.answers(
    pg_temp.as_tenant('low', 'set_own_auto_recharge(false)'), '{"open_attempt": null, "obstacle": "off"}',
    'turned off before a worker had it, it is taken back'
);
select is(pg_temp.attempts('low'), 'canceled', 'and nothing is charged');

-- A user whose token doesn't name it.
select pg_temp.as_user(
    pg_temp.claims('globex', '{"sub": null}'), 'select wallet.set_own_auto_recharge(true) ->> ''success'''
) as changed
\gset
select is(
    (
        select string_agg(actor, ',') from wallet.organization_changes
        where org_id = pg_temp.org('globex')
    ),
    'user:',
    'a user without a name is recorded as one'
);
do $$ begin perform wallet.freeze_wallet(pg_temp.org('globex'), 'Under review', 'ann'); end $$;
select pg_temp.answers(
    pg_temp.as_tenant('globex', 'set_own_auto_recharge(false)'), '{"success": true, "enabled": false}',
    'a frozen wallet''s can be turned off'
);

select pg_temp.refuses_nameless('set_own_auto_recharge(true, 100, 5000)');
select pg_temp.books_are_right();

select * from finish();
rollback;
