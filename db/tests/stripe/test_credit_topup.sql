begin;
select plan(65);
\ir ../support.sql
\ir events.sql

-- The credit is the face value of our own top-up; without one, what was paid less tax.
do $$
begin
    perform pg_temp.open_wallet('taxed');
    perform pg_temp.open_wallet('taxed, intent first');
    perform pg_temp.open_wallet('discounted');
    perform pg_temp.open_wallet('tokyo', 0, 500, 'jpy');
    perform pg_temp.open_wallet('shouting');
    perform pg_temp.open_wallet('coupon');
    perform pg_temp.open_wallet('no intent');
end $$;

select pg_temp.answers(
    pg_temp.deliver(
        'evt_tax', 'checkout.session.completed',
        pg_temp.session(
            'taxed',
            '{"amount_total": 6000, "total_details": {"amount_tax": 1000}, "payment_intent": "pi_tax", "id": "cs_tax"}'
        )
    ),
    '{"success": true, "outcome": "processed", "amount_pence": 5000, "balance_after": 5000}',
    'tax is not handed out as credit'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_tax_pi', 'payment_intent.succeeded',
        pg_temp.intent('taxed', '{"amount": 6000, "amount_received": 6000, "id": "pi_tax"}')
    ),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'also where the payment intent, which doesn''t tell its tax, comes second'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_tax2_pi', 'payment_intent.succeeded',
        pg_temp.intent('taxed, intent first', '{"amount": 6000, "amount_received": 6000, "id": "pi_tax2"}')
    ),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'or first: the face value in its metadata is the credit'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_tax2', 'checkout.session.completed',
        pg_temp.session(
            'taxed, intent first',
            '{
                "amount_total": 6000, "total_details": {"amount_tax": 1000}, "payment_intent": "pi_tax2",
                "id": "cs_tax2"
            }'
        )
    ),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'and the session that follows agrees'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_discount', 'checkout.session.completed',
        pg_temp.session('discounted', '{"amount_total": 2500, "payment_intent": "pi_discount", "id": "cs_discount"}')
    ),
    '{"success": true, "outcome": "processed", "balance_after": 2500}',
    'what was paid is credited, not what the metadata promises'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_yen', 'checkout.session.completed',
        pg_temp.session(
            'tokyo',
            '{"amount_total": 5000, "currency": "jpy", "payment_intent": "pi_yen", "id": "cs_yen"}'
        )
    ),
    '{"success": true, "outcome": "processed", "amount_pence": 5000, "balance_after": 5000}',
    'five thousand yen are five thousand yen'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_yen_pi', 'payment_intent.succeeded', pg_temp.intent('tokyo', '{"currency": "jpy", "id": "pi_yen"}')
    ),
    '{"success": true, "duplicate": true, "balance_after": 5000}',
    'whichever event tells it'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_gbp', 'checkout.session.completed',
        pg_temp.session('shouting', '{"currency": "GBP", "payment_intent": "pi_gbp", "id": "cs_gbp"}')
    ),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'a currency is the same in capitals'
);

-- A session may have no payment intent.
select pg_temp.answers(
    pg_temp.deliver(
        'evt_coupon', 'checkout.session.completed',
        pg_temp.session(
            'coupon',
            '{"amount_total": 0, "payment_status": "no_payment_required", "payment_intent": null, "id": "cs_coupon"}'
        )
    ),
    '{"success": true, "outcome": "processed"}',
    'a session that a coupon of 100 % paid for is no error'
);
select is(pg_temp.entries(pg_temp.org('coupon')), 0::bigint, 'and credits nothing, for nothing was paid');
select pg_temp.answers(
    pg_temp.deliver(
        'evt_no_intent', 'checkout.session.completed',
        pg_temp.session('no intent', '{"payment_intent": null, "id": "cs_no_intent"}')
    ),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'a paid session without a payment intent is credited'
);
select is(
    (select idempotency_key from wallet.credit_transactions where org_id = pg_temp.org('no intent')),
    'topup:cs_no_intent',
    'under its own id'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_no_intent_2', 'checkout.session.async_payment_succeeded',
        pg_temp.session('no intent', '{"payment_intent": null, "id": "cs_no_intent"}')
    ),
    '{"success": true, "duplicate": true, "balance_after": 5000}',
    'once'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_no_intent_3', 'checkout.session.async_payment_succeeded',
        pg_temp.session('no intent', '{"payment_intent": "pi_told_late", "id": "cs_no_intent"}')
    ),
    '{"success": true, "duplicate": true, "balance_after": 5000}',
    'also where a later event names a payment intent after all'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_no_intent_4', 'payment_intent.succeeded',
        jsonb_set(
            pg_temp.intent('no intent', '{"id": "pi_told_late"}'), '{metadata,topup_id}',
            (select to_jsonb(id) from wallet.topups where org_id = pg_temp.org('no intent'))
        )
    ),
    '{"success": true, "duplicate": true, "balance_after": 5000}',
    'and that payment intent says that it pays for the same top-up'
);

-- Our own top-up row is what the payment has to match.
create function pg_temp.open_topup(p_name text, p_amount_pence bigint) returns uuid
language sql
as $$
    insert into wallet.topups (org_id, kind, amount_pence, currency, stripe_checkout_session_id)
    values (pg_temp.org(p_name), 'wallet_topup', p_amount_pence, 'gbp', 'cs_' || md5(p_name))
    returning id
$$;

create function pg_temp.own_session(p_name text, p_changes jsonb default '{}') returns jsonb
language sql
return pg_temp.session(
    p_name, jsonb_build_object('id', 'cs_' || md5(p_name), 'payment_intent', 'pi_' || md5(p_name)) || p_changes
);

create function pg_temp.own_intent(p_name text, p_topup_id uuid) returns jsonb
language sql
return jsonb_set(
    pg_temp.intent(p_name, jsonb_build_object('id', 'pi_' || md5(p_name))),
    '{metadata,topup_id}',
    coalesce(to_jsonb(p_topup_id), 'null')
);

create temporary table topup as
select
    name,
    pg_temp.open_topup(name, 5000) as id
from
    unnest(
        array[
            'own', 'own, intent first', 'own, unnamed', 'own, unnamed, under way', 'paid too little', 'paid too much'
        ]
    ) as name,
    lateral pg_temp.open_wallet(name);

select pg_temp.answers(
    pg_temp.deliver('evt_own', 'checkout.session.completed', pg_temp.own_session('own')),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'a payment that matches its top-up is credited'
);
select pg_temp.answers(
    to_jsonb(t),
    jsonb_build_object(
        'status', 'paid', 'amount_pence', 5000, 'stripe_checkout_session_id', 'cs_' || md5('own'),
        'stripe_payment_intent_id', 'pi_' || md5('own')
    ),
    'the top-up is paid, and knows its payment intent'
)
from wallet.topups as t
inner join topup on topup.id = t.id
where name = 'own';
select pg_temp.answers(
    pg_temp.deliver('evt_own_1', 'payment_intent.succeeded', pg_temp.own_intent(name, id)),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'a payment intent that names its top-up is credited'
)
from topup
where name = 'own, intent first';
select pg_temp.answers(
    pg_temp.deliver('evt_own_2', 'checkout.session.completed', pg_temp.own_session('own, intent first')),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'and its session after it is the same payment'
);
select is(
    pg_temp.payments('own, intent first'), 'balance 5000, credits 1, top-ups paid', 'with one top-up between them'
);
select pg_temp.answers(
    pg_temp.deliver('evt_own_3', 'payment_intent.succeeded', pg_temp.own_intent('own, unnamed', null)),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'a payment intent that doesn''t name its top-up is credited'
);
select pg_temp.answers(
    pg_temp.deliver('evt_own_4', 'checkout.session.completed', pg_temp.own_session('own, unnamed')),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'and its session, which leads to the top-up of our own, is still the same payment'
);
do $$
begin
    perform pg_temp.deliver(
        'evt_own_5', 'payment_intent.processing', pg_temp.own_intent('own, unnamed, under way', null)
    );
end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_own_6', 'checkout.session.completed', pg_temp.own_session('own, unnamed, under way')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'also where that payment intent was only under way'
);

select pg_temp.answers(
    pg_temp.deliver('evt_little', 'checkout.session.completed', pg_temp.own_session('paid too little', paid)),
    '{"success": false, "outcome": "failed", "error": "amount_mismatch"}',
    format('a payment below its top-up is no credit: %s', paid)
)
from unnest(array['{"amount_total": 4999}', '{"amount_total": 0, "payment_status": "paid"}']::jsonb[]) as paid;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_little_tax', 'checkout.session.completed',
        pg_temp.own_session('paid too little', '{"total_details": {"amount_tax": 833}}')
    ),
    '{"success": false, "outcome": "failed", "error": "amount_mismatch"}',
    'nor is one whose tax eats into it'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_much', 'checkout.session.completed', pg_temp.own_session('paid too much', '{"amount_total": 5001}')
    ),
    '{"success": false, "outcome": "failed", "error": "amount_mismatch"}',
    'a payment above its top-up is for a person to see'
);
select is(
    pg_temp.payments('paid too little'), 'balance 0, credits 0, top-ups pending', 'a mismatch leaves the top-up open'
);
select ok(
    (select error_message from wallet.processed_stripe_webhooks where event_id = 'evt_much') like '%5001%5000%',
    'and the stored reason has both amounts'
);
select pg_temp.answers(
    pg_temp.deliver('evt_right', 'checkout.session.async_payment_succeeded', pg_temp.own_session('paid too little')),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'the right payment is credited afterwards'
);

-- A currency other than the wallet's is never a guess.
do $$ begin perform pg_temp.open_wallet('pounds'); end $$;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_eur', 'checkout.session.completed',
        pg_temp.session('pounds', '{"currency": "eur", "payment_intent": "pi_eur", "id": "cs_eur"}')
    ),
    '{"success": false, "outcome": "failed", "error": "currency_mismatch"}',
    'a session in another currency fails'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_eur_pi', 'payment_intent.succeeded', pg_temp.intent('pounds', '{"currency": "eur", "id": "pi_eur"}')
    ),
    '{"success": false, "outcome": "failed", "error": "currency_mismatch"}',
    'so does a payment intent'
);
select is(pg_temp.payments('pounds'), 'balance 0, credits 0, top-ups none', 'and nothing is credited');

-- A backend that books the payment itself, before or after the event, makes no second credit.
do $$
begin
    perform pg_temp.open_wallet('booked before');
    perform pg_temp.open_wallet('booked after');
    perform pg_temp.open_wallet('booked otherwise');
    perform wallet.add_wallet_credits(pg_temp.org('booked before'), 5000, 'topup', 'pi_before');
    perform wallet.add_wallet_credits(pg_temp.org('booked otherwise'), 4000, 'topup', 'pi_otherwise');
end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_before', 'payment_intent.succeeded', pg_temp.intent('booked before', '{"id": "pi_before"}')),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'a payment that a backend has booked is not booked again'
);
select pg_temp.answers(
    pg_temp.deliver('evt_after', 'payment_intent.succeeded', pg_temp.intent('booked after', '{"id": "pi_after"}')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'a payment is booked by its event'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('booked after'), 5000, 'topup', 'pi_after'),
    '{"success": true, "duplicate": true, "balance_after": 5000}',
    'and then not by a backend'
);
select pg_temp.answers(
    pg_temp.deliver(
        'evt_otherwise', 'checkout.session.completed',
        pg_temp.session('booked otherwise', '{"payment_intent": "pi_otherwise"}')
    ),
    '{"success": false, "outcome": "failed", "error": "amount_mismatch"}',
    'a payment that a backend booked with another amount is for a person to see'
);

-- A key of the backend's own is a second name for the payment, not a second payment.
do $$
begin
    perform pg_temp.open_wallet('own key first');
    perform pg_temp.open_wallet('own key last');
    perform wallet.add_wallet_credits(
        pg_temp.org('own key first'), 5000, 'topup', 'pi_first', p_idempotency_key => 'order 1'
    );
end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_first', 'payment_intent.succeeded', pg_temp.intent('own key first', '{"id": "pi_first"}')),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'a payment that a backend has booked under a key of its own is not booked again by its event'
);
select pg_temp.answers(
    wallet.add_wallet_credits(
        pg_temp.org('own key first'), 5000, 'topup', 'pi_first', p_idempotency_key => 'order 1, again'
    ),
    '{"success": true, "duplicate": true, "balance_after": 5000}',
    'nor by the backend under another key'
);
select pg_temp.answers(
    pg_temp.deliver('evt_last', 'payment_intent.succeeded', pg_temp.intent('own key last', '{"id": "pi_last"}')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'a payment that its event has booked'
);
select pg_temp.answers(
    wallet.add_wallet_credits(
        pg_temp.org('own key last'), 5000, 'topup', 'pi_last', p_idempotency_key => 'order 2'
    ),
    '{"success": true, "duplicate": true, "balance_after": 5000}',
    'is not booked again by a backend under a key of its own'
);

-- A checkout of ours: the row, with its price, its credit and its bonus, comes before the payment.
create function pg_temp.begin_plan(p_name text, p_plan text) returns jsonb
language plpgsql
as $$
begin
    perform pg_temp.open_wallet(p_name);
    perform wallet.attach_stripe_customer(pg_temp.org(p_name), 'cus_1');
    return wallet.begin_topup(pg_temp.org(p_name), p_plan => p_plan, p_return_url => 'https://acme.example')
    #> '{request,params,metadata}';
end;
$$;

create function pg_temp.plan_session(p_name text, p_metadata jsonb, p_changes jsonb default '{}') returns jsonb
language sql
return pg_temp.session(
    p_name,
    jsonb_build_object('id', 'cs_' || p_name, 'payment_intent', 'pi_' || p_name, 'metadata', p_metadata) || p_changes
);

create temporary table begun as
select
    name,
    pg_temp.begin_plan(name, plan) as metadata
from (
    select wallet.set_topup_plan('big', 'Big', 'gbp', 4000, 5000, 'test', p_bonus_pence => 1000)
) as a, lateral (
    select wallet.set_topup_plan('plain', 'Plain', 'gbp', 5000, 5000, 'test', p_bonus_pence => 500)
) as b, lateral (
    values
    ('big', 'big'), ('big, taxed', 'big'), ('big, intent first', 'big'), ('booked', 'plain'), ('unnamed', 'plain')
) as wish (name, plan);

select pg_temp.answers(
    pg_temp.tell(
        'checkout.session.completed', pg_temp.plan_session('big', metadata, jsonb_build_object('amount_total', paid))
    ),
    '{"success": false, "outcome": "failed", "error": "amount_mismatch"}',
    format('%s paid for a plan that costs 4000 are for a person to see', paid)
)
from begun, unnest(array[3999, 4001, 5000, 6000]) as paid
where name = 'big';
select pg_temp.answers(
    pg_temp.tell('checkout.session.completed', pg_temp.plan_session('big', metadata, '{"amount_total": 4000}')),
    '{"success": true, "outcome": "processed", "amount_pence": 5000, "bonus_pence": 1000, "balance_after": 6000}',
    'the price of a plan credits its face value and its bonus'
)
from begun
where name = 'big';
select is(
    (
        select string_agg(concat_ws(' ', type, amount_pence, idempotency_key), ', ' order by entry_number)
        from wallet.credit_transactions
        where org_id = pg_temp.org('big')
    ),
    'topup 5000 topup:pi_big, bonus 1000 bonus:topup:pi_big',
    'as two entries'
);
select pg_temp.answers(
    pg_temp.tell(
        'payment_intent.succeeded',
        pg_temp.intent('big', jsonb_build_object('id', 'pi_big', 'amount_received', 4000, 'metadata', metadata))
    ),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 6000}',
    'its other event credits neither again'
)
from begun
where name = 'big';
select is(pg_temp.entries(pg_temp.org('big')), 2::bigint, 'nor adds an entry');
select is(pg_temp.messages('big', 'topup_completed'), 1::bigint, 'both are told to the outbox, once');
select pg_temp.answers(
    payload, '{"amount_pence": 5000, "bonus_pence": 1000, "balance_pence": 6000}', 'with both amounts'
)
from wallet.outbox_messages
where org_id = pg_temp.org('big') and topic = 'topup_completed';
select pg_temp.answers(
    pg_temp.tell(
        'checkout.session.completed',
        pg_temp.plan_session(
            'big, taxed', metadata, '{"amount_total": 4800, "total_details": {"amount_tax": 800}}'
        )
    ),
    '{"success": true, "outcome": "processed", "balance_after": 6000}',
    'tax comes on top of the price'
)
from begun
where name = 'big, taxed';
select is(
    (select charged_pence::bigint from wallet.topups where org_id = pg_temp.org('big, taxed')), 4800::bigint,
    'and is remembered, for refunds are shares of all that was charged'
);
select pg_temp.answers(
    pg_temp.tell(
        'payment_intent.succeeded',
        pg_temp.intent(
            'big, intent first',
            jsonb_build_object('id', 'pi_big, intent first', 'amount_received', received, 'metadata', metadata)
        )
    ),
    answer,
    format('a payment intent of %s: %s', received, answer)
)
from
    begun,
    (
        values
        (3999, '{"outcome": "failed", "error": "amount_mismatch"}'::jsonb),
        (4800, '{"outcome": "processed", "duplicate": false, "balance_after": 6000}')
    ) as paid (received, answer)
where name = 'big, intent first';

-- A backend may have booked that payment under a key of its own before the event comes.
do $$
begin
    perform wallet.add_wallet_credits(
        pg_temp.org('booked'), 5000, 'topup', 'pi_booked', p_idempotency_key => 'order 3'
    );
end $$;
select pg_temp.answers(
    pg_temp.tell('checkout.session.completed', pg_temp.plan_session('booked', metadata)),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5500}',
    'what a backend has booked under its own key is not booked again for our row; its bonus is due still'
)
from begun
where name = 'booked';
select is(
    pg_temp.payments('booked'), 'balance 5500, credits 1, top-ups paid', 'and there is one top-up'
);

-- What becomes known late counts for what was taken back already.
do $$
begin
    perform pg_temp.pay('unnamed');
    perform pg_temp.tell('refund.created', pg_temp.refund('unnamed', '{"amount": 2500}'));
end $$;
select pg_temp.answers(
    pg_temp.tell('checkout.session.completed', pg_temp.plan_session('unnamed', metadata)),
    '{"success": true, "outcome": "processed", "duplicate": true}',
    'a bonus that is credited after a refund'
)
from begun
where name = 'unnamed';
select is(pg_temp.balance(pg_temp.org('unnamed')), 2750::bigint, 'is reversed in the same proportion');
do $$
begin
    perform pg_temp.open_wallet('tax told late');
    perform wallet.add_wallet_credits(pg_temp.org('tax told late'), 5000, 'topup', 'pi_tax told late');
    perform pg_temp.tell('refund.created', pg_temp.refund('tax told late', '{"amount": 3000}'));
    perform pg_temp.pay('tax told late', 5000, 6000);
end $$;
select is(
    pg_temp.balance(pg_temp.org('tax told late')), 2500::bigint,
    'and a refund that came before anything told of the tax is its right share in the end'
);

-- Customer and card.
do $$ begin perform pg_temp.open_wallet('customer'); end $$;
select is(
    (
        select concat_ws(' ', stripe_customer_id, stripe_default_pm_id) from wallet.organizations
        where id = pg_temp.org('own, intent first')
    ),
    'cus_1 pm_1',
    'a payment leaves its customer and its card with the organization'
);
do $$
begin
    perform pg_temp.deliver(
        'evt_customer', 'payment_intent.succeeded',
        pg_temp.intent('customer', '{"id": "pi_customer", "setup_future_usage": null}')
    );
end $$;
select is(
    (
        select concat_ws(' ', stripe_customer_id, coalesce(stripe_default_pm_id, 'none')) from wallet.organizations
        where id = pg_temp.org('customer')
    ),
    'cus_1 none',
    'a card that may not be charged again is not kept'
);

-- An automatic recharge is the same credit.
do $$ begin perform pg_temp.open_wallet('recharged'); end $$;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_recharge', 'payment_intent.succeeded',
        jsonb_set(
            pg_temp.intent('recharged', '{"id": "pi_recharge"}'), '{metadata,type}', '"wallet_auto_recharge"'
        )
    ),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'an automatic recharge is credited'
);
select is(
    (select kind from wallet.topups where org_id = pg_temp.org('recharged')), 'wallet_auto_recharge',
    'and remembered as one'
);

select pg_temp.books_are_right();

select * from finish();
rollback;
