begin;
select plan(3);
\ir ../support.sql

create function pg_temp.described(p_changes jsonb) returns jsonb
language sql
return wallet.describe_topup(
    jsonb_populate_record(
        null::wallet.topups,
        jsonb_build_object(
            'org_id', pg_temp.org('acme'), 'id', pg_temp.org('top-up'), 'status', 'pending', 'currency', 'gbp',
            'price_pence', 4500, 'amount_pence', 5000, 'bonus_pence', 250, 'stripe_request',
            '{"mode": "payment"}'::jsonb
        )
        || p_changes
    )
);

select is(
    pg_temp.described('{}'),
    jsonb_build_object(
        'topup_id', pg_temp.org('top-up'), 'org_id', pg_temp.org('acme'), 'status', 'pending', 'currency', 'gbp',
        'price_pence', 4500, 'amount_pence', 5000, 'bonus_pence', 250,
        'checkout_session_id', null, 'checkout_url', null, 'expires_at', null,
        'next', 'create_session',
        'request',
        jsonb_build_object('idempotency_key', pg_temp.org('top-up'), 'params', '{"mode": "payment"}'::jsonb)
    ),
    'without a page Stripe has to be asked, under the top-up''s own id'
);
select pg_temp.answers(
    pg_temp.described(
        '{
            "checkout_url": "https://pay.example", "stripe_checkout_session_id": "cs_1",
            "expires_at": "2030-01-01T00:00:00Z"
        }'
    ),
    '{
        "next": "redirect", "checkout_url": "https://pay.example", "checkout_session_id": "cs_1",
        "expires_at": "2030-01-01T00:00:00+00:00"
    }',
    'with one the customer is sent there'
);
select ok(
    not pg_temp.described('{"checkout_url": "https://pay.example"}') ? 'request', 'and Stripe isn''t asked again'
);

select * from finish();
rollback;
