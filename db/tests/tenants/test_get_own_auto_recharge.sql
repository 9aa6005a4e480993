begin;
select plan(12);
\ir ../support.sql
\ir ../stripe/events.sql
\ir ../recharge/recharges.sql
\ir tenants.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.rechargeable('globex', 0);
end $$;

select is(
    pg_temp.as_tenant('acme', 'get_own_auto_recharge()'), wallet.get_auto_recharge(pg_temp.org('acme')),
    'a tenant is told what a backend is told of it'
);
select is(
    pg_temp.as_tenant('acme', 'get_own_auto_recharge()'),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'enabled', false, 'threshold_pence', 500, 'amount_pence', 5000,
        'max_per_day', 5, 'max_per_month', 50, 'max_pence_per_day', 50000, 'max_pence_per_month', 200000,
        'cooldown_seconds', 900, 'max_declines', 3, 'has_payment_method', false, 'payment_method', null,
        'blocked_because', null, 'obstacle', 'off', 'open_attempt', null
    ),
    'a wallet that never asked for it has the defaults, and it is off'
);
do $$
begin
    perform pg_temp.tell('payment_method.attached', pg_temp.card('{"id": "pm_globex", "customer": "cus_globex"}'));
end $$;
select pg_temp.answers(
    pg_temp.as_tenant('globex', 'get_own_auto_recharge()'),
    jsonb_build_object(
        'org_id', pg_temp.org('globex'), 'enabled', true, 'has_payment_method', true, 'obstacle', 'attempt_open',
        'payment_method', '{"brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2031}'::jsonb,
        'open_attempt', jsonb_build_object(
            'attempt_id', a.id, 'state', 'requested', 'amount_pence', 5000, 'created_at', a.created_at
        )
    ),
    'another sees its own card, by what may be shown of it, and the attempt that is under way'
)
from pg_temp.attempt('globex') as a;
select unalike(
    pg_temp.as_tenant('globex', 'get_own_auto_recharge()')::text, '%pm\_%', 'Stripe''s id of the card is not shown'
);
do $$ begin perform pg_temp.recharge('globex', 'declined'); end $$;
select pg_temp.answers(
    pg_temp.as_tenant('globex', 'get_own_auto_recharge()'), '{"obstacle": "cooldown", "open_attempt": null}',
    'after a declined attempt none is open'
);
do $$
begin
    perform pg_temp.tell('payment_method.detached', pg_temp.card('{"id": "pm_globex", "customer": null}'));
end $$;
select pg_temp.answers(
    pg_temp.as_tenant('globex', 'get_own_auto_recharge()'),
    '{"has_payment_method": false, "payment_method": null, "obstacle": "no_payment_method"}',
    'a card that was taken away is not shown'
);
do $$
begin
    perform pg_temp.open_wallet('bare');
    update wallet.organizations set stripe_customer_id = 'cus_bare', stripe_default_pm_id = 'pm_bare'
    where id = pg_temp.org('bare');
end $$;
select pg_temp.answers(
    pg_temp.as_tenant('bare', 'get_own_auto_recharge()'), '{"has_payment_method": true, "payment_method": null}',
    'a card of which nothing is known is there, and not described'
);
do $$ begin update wallet.payment_methods set org_id = pg_temp.org('bare'), detached_at = null; end $$;
select pg_temp.answers(
    pg_temp.as_tenant('bare', 'get_own_auto_recharge()'), '{"payment_method": null}', 'nor by another card'
);

select pg_temp.refuses_nameless('get_own_auto_recharge()');

select * from finish();
rollback;
