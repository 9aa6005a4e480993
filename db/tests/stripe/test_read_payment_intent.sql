begin;
select plan(21);
\ir ../support.sql
\ir events.sql

select pg_temp.answers(
    to_jsonb(wallet.read_payment_intent(pg_temp.intent())),
    jsonb_build_object(
        'kind', 'wallet_topup', 'org_id', pg_temp.org('acme'), 'checkout_session_id', null,
        'payment_intent_id', 'pi_1', 'charge_id', 'ch_1', 'customer_id', 'cus_1', 'payment_method_id', 'pm_1',
        'currency', 'gbp', 'amount_pence', 5000, 'tax_known', false
    ),
    'a payment intent tells whom it pays for, how much, and its charge and card'
);
select is(
    (wallet.read_payment_intent(pg_temp.intent('acme', changes::jsonb))).payment_method_id, card,
    format('the card of %s is %s', changes, coalesce(card, 'not ours to keep'))
)
from (
    values
    ('{"setup_future_usage": "off_session"}', 'pm_1'),
    ('{"setup_future_usage": "on_session"}', null),
    ('{"setup_future_usage": null}', null),
    ('{"payment_method": null}', null)
) as usage (changes, card);

create function pg_temp.amount(p_received bigint, p_face_value jsonb) returns bigint
language sql
return (
    wallet.read_payment_intent(
        jsonb_set(
            pg_temp.intent('acme', jsonb_build_object('amount_received', p_received)), '{metadata,amount_pence}',
            p_face_value
        )
    )
).amount_pence;

select is(
    pg_temp.amount(received, face_value::jsonb), amount,
    format('%s received for a face value of %s comes to %s', received, face_value, amount)
)
from (
    values
    (5000, '"5000"', 5000::bigint),
    (6000, '"5000"', 5000),
    (4000, '"5000"', 4000),
    (5000, '""', 5000),
    (5000, 'null', 5000),
    (5000, '"lots"', 5000),
    (5000, '"-1"', 5000),
    (5000, '"99999999999999999999"', 5000),
    (0, '"5000"', 0)
) as priced (received, face_value, amount);
select is(
    (wallet.read_payment_intent(pg_temp.intent('acme', '{"metadata": {}, "amount_received": "?"}'))).kind, null,
    'somebody else''s payment intent is not read'
);
select pg_temp.raises(
    format('select wallet.read_payment_intent(pg_temp.intent(%L, %L))', 'acme', changes), 'WL010', field,
    format('malformed: %s', changes)
)
from (
    values
    ('{"id": null}', 'data.object.id'),
    ('{"currency": ""}', 'data.object.currency'),
    ('{"latest_charge": {"id": "ch_1"}}', 'data.object.latest_charge'),
    ('{"amount_received": "5000"}', 'data.object.amount_received'),
    ('{"amount_received": -1}', 'data.object.amount_received'),
    ('{"payment_method": 7}', 'data.object.payment_method')
) as malformed (changes, field);

select * from finish();
rollback;
