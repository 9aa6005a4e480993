begin;
select plan(12);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

select pg_temp.answers(
    pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme', '{"payment_status": "unpaid"}')),
    jsonb_build_object(
        'success', true, 'outcome', 'pending', 'event_id', 'evt_1', 'org_id', pg_temp.org('acme')
    ),
    'a session that is completed and unpaid waits for its money'
);
select is(pg_temp.payments('acme'), 'balance 0, credits 0, top-ups pending', 'nothing is credited yet');
select pg_temp.answers(
    to_jsonb(t),
    '{
        "kind": "wallet_topup", "status": "pending", "amount_pence": 5000, "currency": "gbp",
        "stripe_checkout_session_id": "cs_1", "stripe_payment_intent_id": "pi_1", "last_error": null
    }',
    'its top-up is noted, also where we had none'
)
from wallet.topups as t
where org_id = pg_temp.org('acme');
select is(pg_temp.stored('evt_1'), 'pending 1', 'the event is stored as pending');
select is(
    (select stripe_customer_id from wallet.organizations where id = pg_temp.org('acme')), 'cus_1',
    'its customer is kept'
);
select pg_temp.answers(
    pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme', '{"payment_status": "unpaid"}')),
    '{"success": true, "outcome": "pending"}',
    'its redelivery says the same'
);
select is(pg_temp.payments('acme'), 'balance 0, credits 0, top-ups pending', 'and makes no second top-up');

select pg_temp.answers(
    pg_temp.deliver('evt_2', 'checkout.session.async_payment_succeeded', pg_temp.session('acme')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'an unpaid session is not the end of its payment: the later success credits'
);

do $$ begin perform pg_temp.open_wallet('globex'); end $$;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_3', 'checkout.session.completed',
        pg_temp.session('globex', '{"id": "cs_3", "payment_intent": "pi_3"}')
    ),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'a paid session is credited at once'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_4', 'checkout.session.completed',
        pg_temp.session('globex', '{"id": "cs_4", "payment_intent": "pi_4", "payment_status": "something_new"}')
    ),
    '{"success": true, "outcome": "pending"}',
    'only paid is paid: a status that we don''t know credits nothing'
);
select is(pg_temp.balance(pg_temp.org('globex')), 5000::bigint, 'so the balance stays');

select pg_temp.books_are_right();

select * from finish();
rollback;
