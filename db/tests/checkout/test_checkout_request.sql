begin;
select plan(6);
\ir ../support.sql

create function pg_temp.asked(
    p_return_url text default 'https://acme.example/wallet', p_changes jsonb default '{}', p_user text default null
) returns jsonb
language sql
return wallet.checkout_request(
    jsonb_populate_record(
        null::wallet.topups,
        jsonb_build_object(
            'org_id', pg_temp.org('acme'), 'id', pg_temp.org('top-up'), 'kind', 'wallet_topup', 'amount_pence', 5000,
            'price_pence', 4500, 'bonus_pence', 250, 'currency', 'gbp'
        )
        || p_changes
    ),
    'Wallet top-up', 'cus_1', p_return_url, p_user, p_user || '@acme.example'
);

select is(
    pg_temp.asked(p_changes => '{"plan": "big"}', p_user => 'sam'),
    jsonb_build_object(
        'mode', 'payment',
        'customer', 'cus_1',
        'client_reference_id', pg_temp.org('acme'),
        'metadata', metadata,
        'payment_intent_data', jsonb_build_object('metadata', metadata, 'setup_future_usage', 'off_session'),
        'adaptive_pricing', '{"enabled": false}'::jsonb,
        'invoice_creation', '{"enabled": true}'::jsonb,
        'line_items',
        '[{
            "quantity": 1,
            "price_data": {"currency": "gbp", "unit_amount": 4500, "product_data": {"name": "Wallet top-up"}}
        }]'::jsonb,
        'success_url', 'https://acme.example/wallet?topup_id=' || pg_temp.org('top-up') || '&checkout=success',
        'cancel_url', 'https://acme.example/wallet?topup_id=' || pg_temp.org('top-up') || '&checkout=cancelled'
    ),
    'all that Stripe is asked'
)
from (
    select
        jsonb_build_object(
            'type', 'wallet_topup', 'org_id', pg_temp.org('acme'), 'amount_pence', '5000',
            'topup_id', pg_temp.org('top-up'), 'plan', 'big', 'userId', 'sam', 'userEmail', 'sam@acme.example'
        ) as metadata
) as told;
select is(
    (
        select array_agg(key order by key) from jsonb_object_keys(pg_temp.asked() -> 'metadata') as key
    ),
    array['amount_pence', 'org_id', 'topup_id', 'type'],
    'plan and user are told only where there are any'
);
select is(
    jsonb_typeof(pg_temp.asked() #> '{metadata,amount_pence}'), 'string', 'values of metadata are strings at Stripe'
);
select is(
    pg_temp.asked(url) ->> 'success_url', replace(expected, '…', 'topup_id=' || pg_temp.org('top-up')),
    format('returns to %s', url)
)
from (
    values
    ('https://acme.example/wallet?tab=1', 'https://acme.example/wallet?tab=1&…&checkout=success'),
    ('https://acme.example/?', 'https://acme.example/?&…&checkout=success'),
    ('http://localhost:3000', 'http://localhost:3000?…&checkout=success')
) as returned (url, expected);
select * from finish();
rollback;
