-- Parameters of docs.stripe.com/api/payment_intents/create, off-session as in
-- docs.stripe.com/payments/save-and-reuse.
create or replace function wallet.recharge_request(p_attempt wallet.recharge_attempts)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'amount', p_attempt.amount_pence,
        'currency', p_attempt.currency,
        'customer', p_attempt.stripe_customer_id,
        'payment_method', p_attempt.stripe_payment_method_id,
        'payment_method_types', jsonb_build_array('card'),
        'off_session', true,
        'confirm', true,
        'description', 'Automatic recharge',
        'metadata', jsonb_build_object(
            'type', 'wallet_auto_recharge',
            'org_id', p_attempt.org_id,
            'amount_pence', p_attempt.amount_pence::text,
            'topup_id', p_attempt.id,
            'attempt_id', p_attempt.id
        )
    )
$$;

revoke all on function wallet.recharge_request(wallet.recharge_attempts) from public;

comment on function wallet.recharge_request(wallet.recharge_attempts) is
'Internal: what Stripe is asked for to charge an attempt: a payment intent, confirmed at once, without the customer present.';
