begin;
select plan(18);
\ir ../support.sql
\ir events.sql

select pg_temp.answers(
    to_jsonb(wallet.read_checkout_session(pg_temp.session())),
    jsonb_build_object(
        'kind', 'wallet_topup', 'org_id', pg_temp.org('acme'), 'checkout_session_id', 'cs_1',
        'payment_intent_id', 'pi_1', 'customer_id', 'cus_1', 'currency', 'gbp', 'amount_pence', 5000, 'tax_known', true
    ),
    'a session tells whom it pays for, how much, and its payment intent'
);
select is(
    (wallet.read_checkout_session(pg_temp.session('acme', changes::jsonb))).amount_pence, amount,
    format('%s comes to %s', changes, amount)
)
from (
    values
    ('{"amount_total": 6000, "total_details": {"amount_tax": 1000}}', 5000::bigint),
    ('{"amount_total": 6000, "total_details": {"amount_tax": 0}}', 6000),
    ('{"amount_total": 6000, "total_details": {"amount_tax": null}}', 6000),
    ('{"amount_total": 6000, "total_details": {}}', 6000),
    ('{"amount_total": 6000, "total_details": null}', 6000),
    ('{"amount_total": 5000, "currency": "jpy"}', 5000),
    ('{"amount_total": 0}', 0),
    ('{"amount_total": 9223372036854775807}', 9223372036854775807)
) as priced (changes, amount);
select is(
    (wallet.read_checkout_session(pg_temp.session('acme', '{"payment_intent": null}'))).payment_intent_id, null,
    'a session may have no payment intent'
);
select is(
    (wallet.read_checkout_session(pg_temp.session('acme', '{"metadata": {}, "amount_total": "?"}'))).kind, null,
    'somebody else''s session is not read'
);
select pg_temp.raises(
    format('select wallet.read_checkout_session(pg_temp.session(%L, %L))', 'acme', changes), 'WL010', field,
    format('malformed: %s', changes)
)
from (
    values
    ('{"id": null}', 'data.object.id'),
    ('{"currency": null}', 'data.object.currency'),
    ('{"payment_intent": {"id": "pi_1"}}', 'data.object.payment_intent'),
    ('{"amount_total": null}', 'data.object.amount_total'),
    ('{"total_details": {"amount_tax": "1000"}}', 'data.object.total_details.amount_tax'),
    ('{"total_details": {"amount_tax": -1}}', 'data.object.total_details.amount_tax'),
    ('{"total_details": {"amount_tax": 5001}}', 'data.object.total_details.amount_tax')
) as malformed (changes, field);

select * from finish();
rollback;
