begin;
select plan(2);
\ir ../support.sql

create function pg_temp.asked(p_changes jsonb default '{}') returns jsonb
language sql
return wallet.recharge_request(
    jsonb_populate_record(
        null::wallet.recharge_attempts,
        jsonb_build_object(
            'org_id', pg_temp.org('acme'), 'id', pg_temp.org('attempt'), 'amount_pence', 5000, 'currency', 'gbp',
            'stripe_customer_id', 'cus_1', 'stripe_payment_method_id', 'pm_1', 'state', 'requested', 'claims', 0
        )
        || p_changes
    )
);

select is(
    pg_temp.asked(),
    jsonb_build_object(
        'amount', 5000,
        'currency', 'gbp',
        'customer', 'cus_1',
        'payment_method', 'pm_1',
        'payment_method_types', '["card"]'::jsonb,
        'off_session', true,
        'confirm', true,
        'description', 'Automatic recharge',
        'metadata', jsonb_build_object(
            'type', 'wallet_auto_recharge', 'org_id', pg_temp.org('acme'), 'amount_pence', '5000',
            'topup_id', pg_temp.org('attempt'), 'attempt_id', pg_temp.org('attempt')
        )
    ),
    'Stripe is asked to charge the saved card at once, without the customer present'
);
select is(
    pg_temp.asked('{"state": "unknown", "claims": 9, "claimed_by": "worker 2", "last_error": "x"}')::text,
    pg_temp.asked()::text,
    'how often and by whom makes no difference: a retry says the same, byte for byte'
);

select * from finish();
rollback;
