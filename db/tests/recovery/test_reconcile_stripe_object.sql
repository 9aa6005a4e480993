begin;
select plan(35);
\ir ../support.sql
\ir ../stripe/events.sql
\ir objects.sql

do $$ begin perform pg_temp.open_wallet('acme', 10000); end $$;

create function pg_temp.told(p_object jsonb) returns text
language sql
as $$
    select coalesce(string_agg(concat(e ->> 'event_id', ' ', e ->> 'outcome'), ', ' order by place), 'nothing')
    from jsonb_array_elements(wallet.reconcile_stripe_object(p_object, false) -> 'events')
    with ordinality as answer (e, place)
$$;

-- A payment.
create temporary table recovery as
select wallet.reconcile_stripe_object(pg_temp.intent(), false) as answer;
select pg_temp.answers(answer, '{"success": true}', 'a payment whose events never came is taken in') from recovery;
select pg_temp.answers(
    answer #> '{events,0}',
    jsonb_build_object(
        'event_id', 'reconciled:payment_intent.succeeded:pi_1:succeeded', 'event_type', 'payment_intent.succeeded',
        'outcome', 'processed', 'duplicate', false, 'amount_pence', 5000, 'balance_after', 15000,
        'org_id', pg_temp.org('acme')
    ),
    'through process_stripe_event'
)
from recovery;
select is(pg_temp.payments('acme'), 'balance 15000, credits 2, top-ups paid', 'it is credited once');
select pg_temp.answers(
    event_data, '{"object": "event", "livemode": false, "account": null, "type": "payment_intent.succeeded"}',
    'the event is stored as one of Stripe''s would be'
)
from wallet.processed_stripe_webhooks;

create temporary table after_payment as select pg_temp.everything() as state;
select is(pg_temp.told(pg_temp.intent()), 'nothing', 'a second time there is nothing to tell');
select is(pg_temp.everything(), state, 'and nothing is written') from after_payment;

select is(
    pg_temp.told(pg_temp.intent('acme', '{"id": "pi_2", "status": "processing", "amount_received": 0}')),
    'reconciled:payment_intent.processing:pi_2:processing pending', 'a payment under way is noted'
);
select is(
    pg_temp.told(pg_temp.intent('acme', '{"id": "pi_2"}')),
    'reconciled:payment_intent.succeeded:pi_2:succeeded processed', 'a later state is a new event'
);
select is(pg_temp.payments('acme'), 'balance 20000, credits 3, top-ups paid paid', 'which credits it');

-- The real event comes after all.
select pg_temp.answers(
    pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session()),
    '{"outcome": "processed", "duplicate": true}',
    'an event that comes afterwards credits nothing'
);
select is(pg_temp.balance(pg_temp.org('acme')), 20000::bigint, 'the balance stays');

-- Refunds.
select is(
    pg_temp.told(pg_temp.listed_refund('{"status": "pending"}')),
    'reconciled:refund.updated:re_1:pending processed', 'a refund is taken in'
);
select is(pg_temp.balance(pg_temp.org('acme')), 18000::bigint, 'its share of the credits is taken back');
select is(pg_temp.told(pg_temp.listed_refund('{"status": "pending"}')), 'nothing', 'once');
select is(
    pg_temp.told(pg_temp.listed_refund()), 'reconciled:refund.updated:re_1:succeeded processed',
    'its next state is a new event'
);
select is(pg_temp.balance(pg_temp.org('acme')), 18000::bigint, 'that takes nothing more');
select is(
    pg_temp.told(pg_temp.listed_refund('{"status": "failed"}')), 'reconciled:refund.failed:re_1:failed processed',
    'a refund that failed is taken in'
);
select is(pg_temp.balance(pg_temp.org('acme')), 20000::bigint, 'and gives back what it took');

-- Disputes.
select is(
    pg_temp.told(pg_temp.listed_dispute('{-5000}')),
    'reconciled:charge.dispute.created:du_1:needs_response processed,'
    ' reconciled:charge.dispute.funds_withdrawn:du_1:needs_response processed',
    'a dispute is taken in with the money that it took'
);
select is(pg_temp.balance(pg_temp.org('acme')), 15000::bigint, 'which is taken back');
select is(pg_temp.told(pg_temp.listed_dispute('{-5000}')), 'nothing', 'once');
select is(
    pg_temp.told(pg_temp.listed_dispute('{-5000,5000}', '{"status": "won"}')),
    'reconciled:charge.dispute.funds_reinstated:du_1:won processed,'
    ' reconciled:charge.dispute.closed:du_1:won processed',
    'a dispute that was won is taken in'
);
select is(pg_temp.balance(pg_temp.org('acme')), 20000::bigint, 'and gives back what it took');
select is(pg_temp.told(pg_temp.listed_dispute('{-5000,5000}', '{"status": "won"}')), 'nothing', 'once');

-- Nobody's.
create temporary table before_foreign as select pg_temp.everything() as state;
select is(pg_temp.told(object), 'nothing', format('%s %s is none of ours', object ->> 'object', object ->> 'id'))
from (
    values
    (pg_temp.intent('acme', '{"id": "pi_9", "metadata": {}}')),
    (pg_temp.listed_refund('{"id": "re_9", "payment_intent": "pi_9"}')),
    (pg_temp.listed_dispute('{-5000}', '{"id": "du_9", "payment_intent": "pi_9"}'))
) as foreign_object (object);
select is(pg_temp.everything(), state, 'nothing is written of it') from before_foreign;

-- One that fails waits for a person, like an event of Stripe's own.
select is(
    pg_temp.told(pg_temp.intent('nobody', '{"id": "pi_3"}')),
    'reconciled:payment_intent.succeeded:pi_3:succeeded failed', 'a payment of an unknown wallet fails'
);
do $$ begin perform pg_temp.open_wallet('nobody'); end $$;
select is(
    pg_temp.told(pg_temp.intent('nobody', '{"id": "pi_3"}')),
    'reconciled:payment_intent.succeeded:pi_3:succeeded processed', 'and is tried again the next time'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.reconcile_stripe_object(%L, false)', object), sqlstate, field, format('%s is misuse', object)
)
from (
    values
    ('{"object": "charge", "id": "ch_1"}', 'WL006', 'object'),
    ('{"object": "refund"}', 'WL001', 'id')
) as misuse (object, sqlstate, field);
select pg_temp.raises(
    format('select wallet.reconcile_stripe_object(%L, null)', pg_temp.intent()), 'WL001', 'p_livemode',
    'a mode is required'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select pg_temp.books_are_right();

select * from finish();
rollback;
