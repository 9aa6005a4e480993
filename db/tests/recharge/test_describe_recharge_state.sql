begin;
select plan(7);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

create function pg_temp.described(p_name text) returns jsonb
language sql stable
return wallet.describe_recharge_state(pg_temp.org(p_name));

do $$
begin
    perform pg_temp.open_wallet('new');
    perform wallet.get_auto_recharge(pg_temp.org('new'));
    perform pg_temp.rechargeable('acme', 0);
end $$;

select is(
    pg_temp.described('new'),
    '{
        "has_payment_method": false, "payment_method": null, "blocked_because": null, "obstacle": "off",
        "open_attempt": null
    }',
    'a wallet that has nothing yet'
);
select is(
    pg_temp.described('acme'),
    jsonb_build_object(
        'has_payment_method', true,
        'payment_method', '{"brand": null, "last4": null, "exp_month": null, "exp_year": null}'::jsonb,
        'blocked_because', null, 'obstacle', 'attempt_open',
        'open_attempt', jsonb_build_object(
            'attempt_id', a.id, 'state', 'requested', 'amount_pence', 5000, 'created_at', a.created_at
        )
    ),
    'one whose recharge is under way'
)
from pg_temp.attempt('acme') as a;
do $$ begin perform pg_temp.recharge('acme', 'declined'); end $$;
select pg_temp.answers(
    pg_temp.described('acme'), '{"obstacle": "cooldown", "open_attempt": null}', 'one whose recharge was declined'
);
do $$
begin
    update wallet.recharge_settings set blocked_payment_method_id = 'pm_acme', blocked_because = 'it was stolen'
    where org_id = pg_temp.org('acme');
end $$;
select pg_temp.answers(
    pg_temp.described('acme'), '{"obstacle": "payment_method_blocked", "blocked_because": "it was stolen"}',
    'one whose card is not tried again'
);

-- The card that is charged, by what may be shown of it.
do $$
begin
    perform pg_temp.rechargeable('globex');
    perform pg_temp.tell('payment_method.attached', pg_temp.card('{"id": "pm_globex", "customer": "cus_globex"}'));
    perform pg_temp.tell(
        'payment_method.attached',
        pg_temp.card(
            '{
                "id": "pm_other", "customer": "cus_globex",
                "card": {"brand": "amex", "last4": "0005", "exp_month": 1, "exp_year": 2030}
            }'
        )
    );
    insert into wallet.payment_methods (org_id, id, brand)
    values (pg_temp.org('new'), 'pm_globex', 'discover'), (pg_temp.org('new'), 'pm_other', 'discover');
end $$;
do $$ begin perform wallet.set_default_payment_method(pg_temp.org('globex'), 'pm_other', 'ann'); end $$;
select pg_temp.answers(
    pg_temp.described('globex'),
    '{"payment_method": {"brand": "amex", "last4": "0005", "exp_month": 1, "exp_year": 2030}}',
    'of several cards the one that is charged is shown, and no other organization''s of that id'
);
do $$ begin perform wallet.set_default_payment_method(pg_temp.org('globex'), 'pm_globex', 'ann'); end $$;
select pg_temp.answers(
    pg_temp.described('globex'),
    '{"payment_method": {"brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2031}}',
    'once another is charged, that one'
);
select is(pg_temp.described('nobody'), null, 'nothing of nobody');

select * from finish();
rollback;
