begin;
select plan(46);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

do $$ begin perform pg_temp.open_wallet('acme', 1000); end $$;

select is(
    wallet.set_auto_recharge(pg_temp.org('acme'), true, 'ann', 600, 6000, 1, 2, 7000, 8000, 60, 4),
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'enabled', true, 'threshold_pence', 600,
        'amount_pence', 6000, 'max_per_day', 1, 'max_per_month', 2, 'max_pence_per_day', 7000,
        'max_pence_per_month', 8000, 'cooldown_seconds', 60, 'max_declines', 4,
        'has_payment_method', false, 'payment_method', null, 'blocked_because', null,
        'obstacle', 'no_payment_method', 'open_attempt', null
    ),
    'everything is set, and what stands in the way is told'
);
select is(
    array(
        select format('%s: %s to %s', setting, old_value, new_value)
        from wallet.organization_changes
        where org_id = pg_temp.org('acme') and actor = 'ann'
        order by setting
    ),
    array[
        'auto_recharge.amount_pence: 5000 to 6000', 'auto_recharge.cooldown_seconds: 900 to 60',
        'auto_recharge.enabled: false to true', 'auto_recharge.max_declines: 3 to 4',
        'auto_recharge.max_pence_per_day: 50000 to 7000',
        'auto_recharge.max_pence_per_month: 200000 to 8000', 'auto_recharge.max_per_day: 5 to 1',
        'auto_recharge.max_per_month: 50 to 2', 'auto_recharge.threshold_pence: 500 to 600'
    ],
    'each change is recorded, from what to what and by whom'
);
select pg_temp.answers(
    wallet.set_auto_recharge(pg_temp.org('acme'), true, 'bob'),
    '{"duplicate": true, "amount_pence": 6000, "cooldown_seconds": 60}', 'what is left out stays as it is'
);
select is(
    (select count(*) from wallet.organization_changes where actor = 'bob'), 0::bigint,
    'and where nothing changes nothing is recorded'
);
select pg_temp.answers(
    wallet.set_auto_recharge(pg_temp.org('acme'), false, 'bob'),
    '{"duplicate": false, "enabled": false, "amount_pence": 6000}',
    'turned off it keeps its settings'
);

-- Each rule, by the name of its parameter and by the name of its constraint.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.set_auto_recharge(pg_temp.org(''acme''), true, ''ann'', %s)', argument), 'WL006', field,
    format('%s: %s', argument, field)
)
from (
    values
    ('p_threshold_pence => 6000', 'p_threshold_pence'),
    ('p_threshold_pence => -1', 'p_threshold_pence'),
    ('p_amount_pence => 600', 'p_threshold_pence'),
    ('p_amount_pence => 0', 'p_amount_pence'),
    ('p_max_per_day => 0', 'p_max_per_day'),
    ('p_max_per_day => 3', 'p_max_per_day'),
    ('p_max_per_month => 0', 'p_max_per_day'),
    ('p_max_pence_per_day => 5999', 'p_max_pence_per_day'),
    ('p_amount_pence => 7001', 'p_max_pence_per_day'),
    ('p_max_pence_per_month => 6999', 'p_max_pence_per_month'),
    ('p_cooldown_seconds => 59', 'p_cooldown_seconds'),
    ('p_cooldown_seconds => 604801', 'p_cooldown_seconds'),
    ('p_max_declines => 0', 'p_max_declines'),
    ('p_max_declines => 11', 'p_max_declines')
) as misuse (argument, field);
select pg_temp.raises(
    format('select wallet.set_auto_recharge(%L, %L, %L)', org_id, enabled, actor), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, true, 'ann', 'WL001', 'p_org_id'),
    (pg_temp.org('acme'), null, 'ann', 'WL001', 'p_enabled'),
    (pg_temp.org('acme'), true, null, 'WL001', 'p_actor'),
    (pg_temp.org('acme'), true, ' ', 'WL005', 'p_actor')
) as misuse (org_id, enabled, actor, sqlstate, field);

create function pg_temp.constraint_of(p_table text, p_change text) returns text
language plpgsql
as $$
declare
    v_constraint text;
begin
    execute format('update wallet.%I set %s where %L in (%s)', p_table, p_change, pg_temp.org('acme'),
        case p_table when 'organizations' then 'id' else 'org_id' end);
    return 'none';
exception when check_violation then
    get stacked diagnostics v_constraint = constraint_name;
    return v_constraint;
end;
$$;
select is(pg_temp.constraint_of(relation, change), expected, format('%s: %s', change, expected))
from (
    values
    ('organizations', 'wallet_auto_recharge = true, wallet_low_balance_pence = 6000',
    'organizations_recharge_amount_check'),
    ('organizations', 'wallet_recharge_amount_pence = 0', 'positive_pence_check'),
    ('organizations', 'wallet_low_balance_pence = -1', 'unsigned_pence_check'),
    ('recharge_settings', 'max_per_day = 0', 'recharge_settings_max_per_day_check'),
    ('recharge_settings', 'max_per_day = 3', 'recharge_settings_max_per_day_check'),
    ('recharge_settings', 'max_pence_per_day = 0', 'positive_pence_check'),
    ('recharge_settings', 'max_pence_per_month = 6999', 'recharge_settings_max_pence_per_day_check'),
    ('recharge_settings', 'cooldown_seconds = 59', 'recharge_settings_cooldown_seconds_check'),
    ('recharge_settings', 'cooldown_seconds = 604801', 'recharge_settings_cooldown_seconds_check'),
    ('recharge_settings', 'max_declines = 0', 'recharge_settings_max_declines_check'),
    ('recharge_settings', 'max_declines = 11', 'recharge_settings_max_declines_check'),
    ('recharge_settings', 'blocked_because = ''x''', 'recharge_settings_blocked_check')
) as tried (relation, change, expected);
select is(pg_temp.everything(), (select state from before_misuse), 'what was refused has changed nothing');

-- A low balance is recharged as soon as somebody turns it on.
do $$
begin
    perform pg_temp.open_wallet('low', 100);
    perform wallet.attach_stripe_customer(pg_temp.org('low'), 'cus_low');
    perform wallet.keep_payment_method(pg_temp.org('low'), 'pm_low');
end $$;
select pg_temp.answers(
    wallet.set_auto_recharge(pg_temp.org('low'), true, 'ann', 500, 5000),
    '{"obstacle": "attempt_open", "enabled": true}',
    'a balance that is low already is recharged at once'
);
select is(pg_temp.attempts('low'), 'requested', 'by one attempt');
do $$ begin perform wallet.set_auto_recharge(pg_temp.org('low'), true, 'ann', 400, 9000); end $$;
select is(pg_temp.attempts('low'), 'requested', 'set again, still by one');
select is((pg_temp.attempt('low')).amount_pence::text, '5000', 'of the amount that was set when it began');
do $$ begin perform wallet.set_auto_recharge(pg_temp.org('low'), false, 'ann'); end $$;
select is(pg_temp.attempts('low'), 'canceled', 'turned off before a worker had it, nothing is charged');
do $$ begin perform wallet.set_auto_recharge(pg_temp.org('low'), true, 'ann'); end $$;
select is(pg_temp.attempts('low'), 'canceled', 'turned on again, it waits for the cooldown');
do $$
begin
    perform pg_temp.later('low', '16 minutes');
    perform wallet.set_auto_recharge(pg_temp.org('low'), true, 'ann');
    perform pg_temp.claim('low');
    perform wallet.set_auto_recharge(pg_temp.org('low'), false, 'ann');
end $$;
select is(pg_temp.attempts('low'), 'canceled calling', 'turned off while Stripe is asked, it takes its course');
select pg_temp.answers(
    pg_temp.report('low', jsonb_build_object('payment_intent', pg_temp.recharge_intent('low'))),
    '{"state": "succeeded"}', 'and what was paid is credited'
);

-- A higher threshold is a reason, too.
do $$
begin
    perform pg_temp.rechargeable('raised', 600);
    perform wallet.set_auto_recharge(pg_temp.org('raised'), true, 'ann', 601);
end $$;
select is(pg_temp.attempts('raised'), 'requested', 'a threshold above the balance starts one, too');

select pg_temp.answers(
    wallet.set_auto_recharge(pg_temp.org('nobody'), true, 'ann'),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);

select * from finish();
rollback;
