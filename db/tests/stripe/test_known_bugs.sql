begin;
select plan(32);
\ir ../support.sql
\ir events.sql

-- Bugs that other integrations of Stripe had, each shown not to be here. The ones of order, tax, yen and coupons
-- that need many cases are in test_process_stripe_event.sql and test_credit_topup.sql.

-- The event is marked as seen, the credit fails, the retry says "already processed": lost.
select pg_temp.answers(
    pg_temp.deliver('evt_seen', 'checkout.session.completed', pg_temp.session('seen')),
    '{"success": false, "outcome": "failed"}',
    'an event whose credit fails is not answered as processed'
);
do $$ begin perform pg_temp.open_wallet('seen'); end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_seen', 'checkout.session.completed', pg_temp.session('seen')),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'and its retry is not lost as already seen'
);

-- The same event twice gives a unique violation, or two credits.
select pg_temp.answers(
    pg_temp.deliver('evt_seen', 'checkout.session.completed', pg_temp.session('seen')),
    '{"success": true, "outcome": "duplicate"}',
    'the same event again is an answer, not a unique violation'
);
select is(pg_temp.payments('seen'), 'balance 5000, credits 1, top-ups paid', 'and no second credit');

-- Both events of one payment credit.
do $$ begin perform pg_temp.open_wallet('both'); end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_both_1', 'payment_intent.succeeded', pg_temp.intent('both', '{"id": "pi_both"}')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'the webhook that comes before any row of ours credits'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_both_2', 'checkout.session.completed',
        pg_temp.session('both', '{"id": "cs_both", "payment_intent": "pi_both"}')
    ),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'the other event of that payment doesn''t'
);
select is(pg_temp.payments('both'), 'balance 5000, credits 1, top-ups paid', 'there is one credit and one top-up');

-- An unpaid session is credited, or closed so that its later success does nothing.
do $$ begin perform pg_temp.open_wallet('unpaid'); end $$;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_unpaid_1', 'checkout.session.completed',
        pg_temp.session('unpaid', '{"id": "cs_unpaid", "payment_intent": "pi_unpaid", "payment_status": "unpaid"}')
    ),
    '{"success": true, "outcome": "pending"}',
    'an unpaid session is not credited'
);
select is(pg_temp.balance(pg_temp.org('unpaid')), 0::bigint, 'not at all');
select pg_temp.answers(
    pg_temp.deliver(
        'evt_unpaid_2', 'checkout.session.async_payment_succeeded',
        pg_temp.session('unpaid', '{"id": "cs_unpaid", "payment_intent": "pi_unpaid"}')
    ),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'and its later success is'
);

-- Tax is handed out as credit; yen times a hundred; a coupon of 100 % without a payment intent.
do $$
begin
    perform pg_temp.open_wallet('taxed');
    perform pg_temp.open_wallet('tokyo', 0, 500, 'jpy');
    perform pg_temp.open_wallet('coupon');
end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_' || name, 'checkout.session.completed', pg_temp.session(name, changes::jsonb)),
    expected,
    what
)
from (
    values
    (
        'taxed',
        '{"id": "cs_t", "payment_intent": "pi_t", "amount_total": 6000, "total_details": {"amount_tax": 1000}}',
        '{"success": true, "outcome": "processed", "balance_after": 5000}'::jsonb, 'tax is not handed out as credit'
    ),
    (
        'tokyo', '{"id": "cs_y", "payment_intent": "pi_y", "currency": "jpy"}',
        '{"success": true, "outcome": "processed", "balance_after": 5000}', 'yen have no hundredths'
    ),
    (
        'coupon',
        '{"id": "cs_c", "payment_intent": null, "amount_total": 0, "payment_status": "no_payment_required"}',
        '{"success": true, "outcome": "processed"}', 'a session without a payment intent is no error'
    )
) as session (name, changes, expected, what);
select is(pg_temp.balance(pg_temp.org('coupon')), 0::bigint, 'and without a payment no credit');

-- Older state overwrites newer; equal timestamps drop the newer one.
do $$
begin
    perform pg_temp.open_wallet('reordered');
    perform pg_temp.deliver(
        'evt_r1', 'payment_intent.succeeded', pg_temp.intent('reordered'), '{"created": 1790000060}'
    );
end $$;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_r2', 'payment_intent.payment_failed', pg_temp.intent('reordered'), '{"created": 1790000000}'
    ),
    '{"success": true, "outcome": "processed"}',
    'an older event after a newer one is taken note of'
);
select is(
    pg_temp.payments('reordered'), 'balance 5000, credits 1, top-ups paid', 'and overwrites nothing'
);
do $$
begin
    perform pg_temp.open_wallet('tied');
    perform pg_temp.deliver('evt_t1', 'payment_intent.payment_failed', pg_temp.intent('tied'));
    perform pg_temp.deliver('evt_t2', 'payment_intent.succeeded', pg_temp.intent('tied'));
end $$;
select is(
    pg_temp.payments('tied'), 'balance 5000, credits 1, top-ups paid', 'of two events of one second none is dropped'
);

-- The cumulative amount_refunded is applied per event; the second partial refund is dropped; the full amount is taken.
do $$ begin perform pg_temp.pay('refunded'); end $$;
select pg_temp.answers(
    pg_temp.tell(type, object), jsonb_build_object('outcome', 'processed', 'reversed_pence', reversed), what
)
from (
    values
    (
        'charge.refunded', pg_temp.charge('refunded', '{"amount_refunded": 1000}'), 1000,
        'a first partial refund takes its share, not the full amount'
    ),
    (
        'charge.refunded', pg_temp.charge('refunded', '{"amount_refunded": 3000}'), 3000,
        'the next sum takes only what it has grown by'
    ),
    (
        'refund.created', pg_temp.refund('refunded', '{"id": "re_1", "amount": 1000}'), 3000,
        'the refunds that it is made of take nothing again'
    ),
    (
        'refund.created', pg_temp.refund('refunded', '{"id": "re_2", "amount": 2000}'), 3000,
        'neither the first nor the second'
    ),
    (
        'refund.created', pg_temp.refund('refunded', '{"id": "re_3", "amount": 500}'), 3500,
        'a later partial refund isn''t dropped'
    )
) as told (type, object, reversed, what);
select is(pg_temp.reversals('refunded'), '-1000 -2000 -500', 'three movements came of three refunds');

-- A refund or chargeback never takes the credits back; a won dispute is never restored, or restored but not netted
-- from a later refund.
do $$ begin perform pg_temp.pay('disputed'); end $$;
select pg_temp.answers(pg_temp.tell(type, object), jsonb_build_object('balance_after', balance), what)
from (
    values
    ('refund.created', pg_temp.refund('disputed'), 4000, 'a refund takes the credits back'),
    (
        'charge.dispute.funds_withdrawn', pg_temp.dispute('disputed', '{"amount": 4000}'), 0,
        'so does a chargeback'
    ),
    (
        'charge.dispute.funds_reinstated', pg_temp.dispute('disputed', '{"amount": 4000, "status": "won"}'), 4000,
        'a won dispute is restored'
    ),
    (
        'refund.created', pg_temp.refund('disputed', '{"id": "re_2", "amount": 4000}'), 0,
        'and a later refund takes what was restored, no more'
    )
) as told (type, object, balance, what);
select is(pg_temp.reversals('disputed'), '-1000 -4000 +4000 -4000', 'each movement is one entry');

-- A reversal that hits check (balance >= 0) fails for ever.
do $$
begin
    perform pg_temp.pay('spent');
    perform wallet.deduct_call_credits(pg_temp.org('spent'), 'call', 'v', 100, 5300, 5300);
end $$;
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_withdrawn', pg_temp.dispute('spent')),
    '{"success": true, "outcome": "processed", "balance_before": -300, "balance_after": -5300}',
    'money that is spent already is taken back all the same, beyond zero and the debt limit'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('spent'), 'call 2', 'v', 1, 1, 1),
    '{"success": false, "error": "debt_limit_exceeded"}',
    'what is owed blocks spending'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_reinstated', pg_temp.dispute('spent')),
    '{"outcome": "processed", "balance_after": -300}',
    'until it comes back'
);

select pg_temp.books_are_right();

select * from finish();
rollback;
