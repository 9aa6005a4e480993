begin;
select plan(6);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

create function pg_temp.bonus(p_pence bigint) returns jsonb
language sql
return wallet.credit_bonus(
    jsonb_populate_record(
        null::wallet.topups,
        jsonb_build_object('org_id', pg_temp.org('acme'), 'plan', 'big', 'bonus_pence', p_pence)
    ),
    'topup:pi_1',
    'pi_1'
);

select is(
    pg_temp.bonus(500), '{"bonus_pence": 500, "balance_after": 500}',
    'a bonus is credited, and answered with the balance'
);
select pg_temp.answers(
    to_jsonb(entry),
    '{
        "type": "bonus", "direction": "credit", "amount_pence": 500, "idempotency_key": "bonus:topup:pi_1",
        "description": "Bonus of plan big", "stripe_payment_intent_id": "pi_1", "created_by": "stripe"
    }',
    'as an entry of its own under the key of its top-up'
)
from wallet.credit_transactions as entry
where org_id = pg_temp.org('acme');
select is(pg_temp.bonus(500), '{"bonus_pence": 500, "balance_after": 500}', 'once');
select is(pg_temp.entries(pg_temp.org('acme')), 1::bigint, 'however often it is asked for');
select throws_ok(
    'select pg_temp.bonus(600)', 'WL011', null, 'another bonus for the same top-up is for a person to see'
);
select is(
    (select total_topped_up_pence from wallet.organizations where id = pg_temp.org('acme')), 0::bigint,
    'a bonus is not money that was paid in'
);

select * from finish();
rollback;
