begin;
select plan(4);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

select is(
    wallet.get_auto_recharge(pg_temp.org('acme')),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'enabled', false, 'threshold_pence', 500, 'amount_pence', 5000,
        'max_per_day', 5, 'max_per_month', 50, 'max_pence_per_day', 50000, 'max_pence_per_month', 200000,
        'cooldown_seconds', 900, 'max_declines', 3,
        'has_payment_method', false, 'payment_method', null, 'blocked_because', null, 'obstacle', 'off',
        'open_attempt', null
    ),
    'settings and state of a wallet that never asked for it'
);
do $$ begin perform pg_temp.rechargeable('globex', 0); end $$;
select pg_temp.answers(
    wallet.get_auto_recharge(pg_temp.org('globex')),
    '{"success": true, "enabled": true, "has_payment_method": true, "obstacle": "attempt_open"}',
    'and of one whose recharge is under way'
);
select pg_temp.answers(
    wallet.get_auto_recharge(pg_temp.org('nobody')), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises('select wallet.get_auto_recharge(null)', 'WL001', 'p_org_id', 'the organization is required');

select * from finish();
rollback;
