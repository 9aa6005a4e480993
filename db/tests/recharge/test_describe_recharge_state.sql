begin;
select plan(5);
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
    '{"has_payment_method": false, "blocked_because": null, "obstacle": "off", "open_attempt": null}',
    'a wallet that has nothing yet'
);
select is(
    pg_temp.described('acme'),
    jsonb_build_object(
        'has_payment_method', true, 'blocked_because', null, 'obstacle', 'attempt_open',
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
select is(pg_temp.described('nobody'), null, 'nothing of nobody');

select * from finish();
rollback;
