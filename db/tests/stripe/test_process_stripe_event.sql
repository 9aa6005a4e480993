begin;
select plan(133);
\ir ../support.sql
\ir events.sql

-- A payment arrives.
do $$ begin perform pg_temp.open_wallet('acme', 56900); end $$;

create temporary table delivery as
select pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme')) as answer;

select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'outcome', 'processed', 'event_id', 'evt_1', 'event_type', 'checkout.session.completed',
        'org_id', pg_temp.org('acme'), 'duplicate', false, 'balance_before', 56900, 'balance_after', 61900
    ),
    'a paid session of £50.00 on a wallet of £569.00 gives £619.00'
)
from delivery;
select pg_temp.answers(
    to_jsonb(entry),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'topup', 'direction', 'credit', 'amount_pence', 5000,
        'idempotency_key', 'topup:pi_1', 'stripe_payment_intent_id', 'pi_1'
    ),
    'as one entry with its payment intent, which is its key'
)
from delivery, wallet.credit_transactions as entry
where entry.org_id = pg_temp.org('acme') and entry.entry_number = 2;
select pg_temp.answers(
    to_jsonb(w) || jsonb_build_object('is_stamped', w.processed_at is not null and w.received_at is not null),
    jsonb_build_object(
        'event_type', 'checkout.session.completed', 'org_id', pg_temp.org('acme'), 'status', 'processed', 'attempts', 1,
        'error_message', null, 'is_stamped', true,
        'event_data', pg_temp.event('evt_1', 'checkout.session.completed', pg_temp.session('acme'))
    ),
    'the event is stored with what became of it'
)
from wallet.processed_stripe_webhooks as w
where event_id = 'evt_1';

-- The same event again.
create temporary table before_redelivery as
select to_jsonb(o) as organization from wallet.organizations as o where id = pg_temp.org('acme');
select pg_temp.answers(
    pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme')),
    jsonb_build_object(
        'success', true, 'outcome', 'duplicate', 'event_id', 'evt_1', 'event_type', 'checkout.session.completed',
        'org_id', pg_temp.org('acme')
    ),
    'its redelivery is a duplicate'
);
select is(to_jsonb(o), organization, 'that changes nothing about the wallet')
from before_redelivery, wallet.organizations as o
where o.id = pg_temp.org('acme');
select is(pg_temp.entries(pg_temp.org('acme')), 2::bigint, 'nor adds an entry');
select is(pg_temp.stored('evt_1'), 'processed 2', 'the delivery is counted');

-- The other event of the same payment.
select pg_temp.answers(
    pg_temp.deliver('evt_2', 'payment_intent.succeeded', pg_temp.intent('acme')),
    jsonb_build_object(
        'success', true, 'outcome', 'processed', 'duplicate', true, 'transaction_id', answer -> 'transaction_id',
        'balance_before', 56900, 'balance_after', 61900
    ),
    'payment_intent.succeeded and checkout.session.completed of one payment make one credit'
)
from delivery;
select is(
    pg_temp.payments('acme'), 'balance 61900, credits 2, top-ups paid', 'one balance, one entry more, one top-up'
);

-- Events of one payment in every order, each delivered twice: one credit.
create function pg_temp.deliver_twice(p_name text, p_step text) returns void
language plpgsql
as $$
declare
    v_event_id constant text := 'evt_' || md5(p_name || p_step);
    v_ids constant jsonb := jsonb_build_object('payment_intent', 'pi ' || p_name, 'id', 'cs ' || p_name);
    v_session constant jsonb := pg_temp.session(p_name, v_ids);
    v_intent constant jsonb := pg_temp.intent(p_name, jsonb_build_object('id', 'pi ' || p_name));
    v_unpaid constant jsonb := '{"payment_status": "unpaid"}';
    v_without_intent constant jsonb := '{"payment_intent": null, "payment_status": "unpaid"}';
begin
    for v_delivery in 1 .. 2 loop
        case p_step
            when 'completed' then
                perform pg_temp.deliver(v_event_id, 'checkout.session.completed', v_session);
            when 'completed unpaid' then
                perform pg_temp.deliver(v_event_id, 'checkout.session.completed', v_session || v_unpaid);
            when 'async succeeded' then
                perform pg_temp.deliver(v_event_id, 'checkout.session.async_payment_succeeded', v_session);
            when 'async failed' then
                perform pg_temp.deliver(v_event_id, 'checkout.session.async_payment_failed', v_session || v_unpaid);
            when 'expired' then
                perform pg_temp.deliver(v_event_id, 'checkout.session.expired', v_session || v_without_intent);
            else
                perform pg_temp.deliver(v_event_id, 'payment_intent.' || p_step, v_intent);
        end case;
    end loop;
end;
$$;

create function pg_temp.outcome_of_order(p_steps text[]) returns text
language plpgsql
as $$
declare
    v_name constant text := array_to_string(p_steps, ', ');
    v_step text;
begin
    perform pg_temp.open_wallet(v_name);
    foreach v_step in array p_steps loop
        perform pg_temp.deliver_twice(v_name, v_step);
    end loop;
    return pg_temp.payments(v_name);
end;
$$;

select is(
    pg_temp.outcome_of_order(steps), 'balance 5000, credits 1, top-ups paid',
    format('one credit from: %s', array_to_string(steps, ', '))
)
from pg_temp.permutations(array['completed', 'succeeded', 'payment_failed', 'requires_action']) as steps;
select is(
    pg_temp.outcome_of_order(steps), 'balance 5000, credits 1, top-ups paid',
    format('one credit from: %s', array_to_string(steps, ', '))
)
from pg_temp.permutations(array['completed unpaid', 'processing', 'async succeeded', 'succeeded']) as steps;
select is(
    pg_temp.outcome_of_order(steps), 'balance 5000, credits 1, top-ups paid',
    format('one credit from: %s', array_to_string(steps, ', '))
)
from pg_temp.permutations(array['completed unpaid', 'async failed', 'async succeeded']) as steps;
select is(
    pg_temp.outcome_of_order(steps), 'balance 5000, credits 1, top-ups paid',
    format('one credit from: %s', array_to_string(steps, ', '))
)
from pg_temp.permutations(array['completed', 'succeeded', 'canceled']) as steps;
select is(
    pg_temp.outcome_of_order(steps), 'balance 0, credits 0, top-ups failed',
    format('no money from: %s', array_to_string(steps, ', '))
)
from pg_temp.permutations(array['completed unpaid', 'async failed', 'processing']) as steps;
select is(
    pg_temp.outcome_of_order(steps), 'balance 0, credits 0, top-ups canceled',
    format('no money from: %s', array_to_string(steps, ', '))
)
from pg_temp.permutations(array['requires_action', 'payment_failed', 'canceled']) as steps;

-- An event that fails is stored as failed, and tried again on redelivery.
create temporary table failing as
select pg_temp.deliver('evt_early', 'checkout.session.completed', pg_temp.session('late')) as answer;

select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', false, 'outcome', 'failed', 'error', 'organization_not_found', 'event_id', 'evt_early',
        'event_type', 'checkout.session.completed', 'org_id', pg_temp.org('late')
    ),
    'an event whose organization has no wallet yet fails'
)
from failing;
select pg_temp.answers(
    to_jsonb(w),
    jsonb_build_object(
        'status', 'failed', 'attempts', 1, 'error_code', answer -> 'error', 'error_message', answer -> 'message',
        'processed_at', null, 'org_id', pg_temp.org('late')
    ),
    'it is stored as failed, with the reason'
)
from failing, wallet.processed_stripe_webhooks as w
where event_id = 'evt_early';
select pg_temp.answers(
    pg_temp.deliver('evt_early', 'checkout.session.completed', pg_temp.session('late')),
    '{"success": false, "outcome": "failed", "error": "organization_not_found"}',
    'its redelivery fails again while nothing has changed'
);
do $$ begin perform pg_temp.open_wallet('late'); end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_early', 'checkout.session.completed', pg_temp.session('late')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'once the cause is mended the redelivery credits'
);
select pg_temp.answers(
    to_jsonb(w) || jsonb_build_object('is_stamped', processed_at is not null),
    '{"status": "processed", "attempts": 3, "error_code": null, "error_message": null, "is_stamped": true}',
    'and the event is stored as processed, after three deliveries'
)
from wallet.processed_stripe_webhooks as w
where event_id = 'evt_early';
select pg_temp.answers(
    pg_temp.deliver('evt_early', 'checkout.session.completed', pg_temp.session('late')),
    '{"success": true, "outcome": "duplicate"}',
    'from then on it is a duplicate'
);

select is(
    pg_temp.messages('late', 'event_failed'), 1::bigint, 'the failure was told once, not at each delivery'
);
do $$
begin
    perform pg_temp.tell('refund.created', pg_temp.refund('refunded', '{"currency": "eur"}'));
    perform pg_temp.pay('refunded');
end $$;
select is(
    (
        select count(*) from wallet.outbox_messages
        where topic = 'event_failed' and payload @> '{"event_type": "refund.created", "error": "currency_mismatch"}'
    ),
    1::bigint,
    'so is that of an event which waited for its credit and then couldn''t be applied'
);

-- A failure in the middle takes back what was done for the event, and only that.
do $$
begin
    perform pg_temp.open_wallet('broken');
    alter table wallet.topups add constraint topups_broken_check
    check (org_id <> pg_temp.org('broken'));
end $$;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_broken', 'payment_intent.succeeded', pg_temp.intent('broken', '{"id": "pi_broken"}')
    ),
    '{"success": false, "outcome": "failed", "error": "unexpected_error"}',
    'an unexpected error makes the event fail'
);
select is(pg_temp.payments('broken'), 'balance 0, credits 0, top-ups none', 'no half of its effect stays');
select is(pg_temp.stored('evt_broken'), 'failed 1', 'the event does');
alter table wallet.topups drop constraint topups_broken_check;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_broken', 'payment_intent.succeeded', pg_temp.intent('broken', '{"id": "pi_broken"}')
    ),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'and its redelivery credits'
);

-- Not every event is ours.
select pg_temp.answers(
    pg_temp.deliver('evt_' || type, type, '{"id": "x_1", "object": "x"}'),
    '{"success": true, "outcome": "ignored"}',
    format('%s is ignored', type)
)
from
    unnest(
        array[
            'customer.created', 'invoice.paid', 'charge.succeeded', 'product.updated', 'v2.core.event',
            'payment_intent.created', 'payment_intent.amount_capturable_updated', 'setup_intent.succeeded'
        ]
    ) as type;
select pg_temp.answers(
    to_jsonb(w),
    '{"status": "ignored", "attempts": 1, "org_id": null}',
    'an ignored event is recorded as such'
)
from wallet.processed_stripe_webhooks as w
where event_id = 'evt_customer.created';
select pg_temp.answers(
    pg_temp.deliver(
        'evt_foreign_' || type,
        type,
        case when type like 'checkout%' then pg_temp.session('acme', metadata) else pg_temp.intent('acme', metadata) end
    ),
    '{"success": true, "outcome": "ignored"}',
    format('%s of somebody else''s payment is ignored', type)
)
from
    unnest(array['checkout.session.completed', 'payment_intent.succeeded']) as type,
    (values ('{"metadata": {"type": "subscription"}}'::jsonb)) as foreign_payment (metadata);

-- What is not an event raises, and leaves no trace.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.process_stripe_event(%L)', event), 'WL010', field,
    format('not an event: %s', coalesce(left(event, 90), 'null'))
)
from (
    values
    (null, 'event'),
    ('null', 'event'),
    ('[]', 'event'),
    ('"x"', 'event'),
    ('7', 'event'),
    ('{}', 'id'),
    ('{"id": null, "type": "t", "livemode": false, "data": {"object": {}}}', 'id'),
    ('{"id": 7, "type": "t", "livemode": false, "data": {"object": {}}}', 'id'),
    ('{"id": "", "type": "t", "livemode": false, "data": {"object": {}}}', 'id'),
    ('{"id": "evt 1", "type": "t", "livemode": false, "data": {"object": {}}}', 'id'),
    ('{"id": "evt_1", "livemode": false, "data": {"object": {}}}', 'type'),
    ('{"id": "evt_1", "type": [], "livemode": false, "data": {"object": {}}}', 'type'),
    ('{"id": "evt_1", "type": "t", "data": {"object": {}}}', 'livemode'),
    ('{"id": "evt_1", "type": "t", "livemode": "false", "data": {"object": {}}}', 'livemode'),
    ('{"id": "evt_1", "type": "t", "livemode": false}', 'data.object'),
    ('{"id": "evt_1", "type": "t", "livemode": false, "data": []}', 'data.object'),
    ('{"id": "evt_1", "type": "t", "livemode": false, "data": {"object": "x"}}', 'data.object'),
    ('{"id": "evt_1", "type": "t", "livemode": false, "data": {"object": null}}', 'data.object')
) as malformed (event, field);
select pg_temp.raises(
    format(
        'select pg_temp.deliver(%L, %L, pg_temp.session(%L, %L))', 'evt_odd', 'checkout.session.completed', 'acme',
        changes
    ),
    'WL010', field, format('not a session: %s', changes)
)
from (
    values
    ('{"amount_total": "5000"}', 'amount_total'),
    ('{"amount_total": -1}', 'amount_total'),
    ('{"amount_total": 1.5}', 'amount_total'),
    ('{"amount_total": 9223372036854775808}', 'amount_total'),
    ('{"amount_total": null}', 'amount_total'),
    ('{"currency": null}', 'currency'),
    ('{"id": null}', 'id'),
    ('{"payment_intent": 7}', 'payment_intent')
) as malformed (changes, field);
select is(pg_temp.everything(), state, 'what is not an event leaves no trace') from before_misuse;
select pg_temp.raises(
    $$select pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme'), '{"livemode": 1}')$$,
    'WL010', 'livemode', 'also where the id is known'
);

select pg_temp.books_are_right();

select * from finish();
rollback;
