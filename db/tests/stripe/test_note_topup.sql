begin;
select plan(10);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.open_wallet('acme', 100); end $$;

create function pg_temp.note(p_status text, p_error text default null) returns jsonb
language sql
as $$
    select wallet.note_topup(wallet.read_checkout_session(pg_temp.session()), p_status, p_error)
$$;

select pg_temp.answers(
    pg_temp.note('pending'), '{"success": true, "outcome": "pending", "topup_status": "pending"}',
    'a payment without money yet is pending'
);
select pg_temp.answers(
    pg_temp.note('failed', 'No money.'), '{"success": true, "outcome": "processed", "topup_status": "failed"}',
    'one that failed is done with, for now'
);
select pg_temp.answers(
    to_jsonb(t), '{"status": "failed", "amount_pence": 5000, "last_error": "No money."}',
    'its top-up has the amount that a session tells, and the reason'
)
from wallet.topups as t
where org_id = pg_temp.org('acme');
select pg_temp.answers(
    pg_temp.note('pending'), '{"success": true, "outcome": "processed", "topup_status": "failed"}',
    'what was pending before it failed is not pending again'
);

do $$ begin perform pg_temp.open_wallet('globex'); end $$;
select pg_temp.answers(
    wallet.note_topup(wallet.read_payment_intent(pg_temp.intent('globex', '{"amount_received": 0}')), 'pending'),
    '{"success": true, "outcome": "pending"}',
    'a payment intent makes a top-up too'
);
select pg_temp.answers(
    to_jsonb(t), '{"status": "pending", "amount_pence": null, "stripe_payment_intent_id": "pi_1"}',
    'without an amount, for it can''t tell its tax'
)
from wallet.topups as t
where org_id = pg_temp.org('globex');
select is(pg_temp.balance(pg_temp.org('acme')), 100::bigint, 'none of this moves money');
select pg_temp.books_are_right();

-- A failure is told to the outbox once; that of an automatic recharge is told by its attempt.
do $$
begin
    perform pg_temp.open_wallet('unlucky');
    perform pg_temp.tell(
        'payment_intent.payment_failed',
        pg_temp.intent(
            'unlucky', jsonb_build_object('id', 'pi_' || place, 'last_payment_error', '{"message": "Declined."}'::jsonb)
        )
    )
    from unnest(array[1, 1, 2]) as place;
    perform pg_temp.tell(
        'payment_intent.payment_failed',
        jsonb_set(pg_temp.intent('unlucky', '{"id": "pi_3"}'), '{metadata,type}', '"wallet_auto_recharge"')
    );
end $$;
select is(
    pg_temp.messages('unlucky', 'payment_failed'), 2::bigint, 'each payment that fails is told to the outbox once'
);
select is(
    (select min(payload ->> 'message') from wallet.outbox_messages where org_id = pg_temp.org('unlucky')),
    'A top-up of an unknown amount failed: Declined.',
    'with Stripe''s reason'
);

select * from finish();
rollback;
