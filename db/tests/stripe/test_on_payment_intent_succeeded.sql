begin;
select plan(8);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

select pg_temp.answers(
    pg_temp.deliver('evt_1', 'payment_intent.succeeded', pg_temp.intent('acme')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'a payment that succeeded is credited, with no session and no top-up known before'
);
select pg_temp.answers(
    to_jsonb(entry),
    '{
        "type": "topup", "direction": "credit", "amount_pence": 5000, "idempotency_key": "topup:pi_1",
        "stripe_payment_intent_id": "pi_1", "stripe_charge_id": "ch_1"
    }',
    'the entry knows payment intent and charge'
)
from wallet.credit_transactions as entry
where org_id = pg_temp.org('acme');
select pg_temp.answers(
    to_jsonb(t),
    '{"kind": "wallet_topup", "status": "paid", "amount_pence": 5000, "stripe_payment_intent_id": "pi_1"}',
    'a top-up is made for it, for the webhook may come before any row of ours'
)
from wallet.topups as t
where org_id = pg_temp.org('acme');
select pg_temp.answers(
    pg_temp.deliver('evt_2', 'payment_intent.succeeded', pg_temp.intent('acme')),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'another event of the same payment credits nothing more'
);
select pg_temp.answers(
    pg_temp.deliver('evt_3', 'payment_intent.succeeded', pg_temp.intent('acme', '{"amount_received": 4000}')),
    '{"success": false, "outcome": "failed"}',
    'one that tells another amount is for a person to see'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_4', 'payment_intent.succeeded', pg_temp.intent('acme', '{"id": "pi_2", "amount_received": 3000}')
    ),
    '{"success": true, "outcome": "processed", "balance_before": 5000, "balance_after": 8000}',
    'what was received is credited, not what was asked for'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_5', 'payment_intent.succeeded',
        jsonb_set(pg_temp.intent('acme', '{"id": "pi_3"}'), '{metadata,amount_pence}', '"999999"')
    ),
    '{"success": true, "outcome": "processed", "balance_before": 8000, "balance_after": 13000}',
    'metadata can''t make it more'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
