-- Parameters of docs.stripe.com/api/checkout/sessions/create. Stripe doesn't copy a session's metadata to
-- its payment intent, so both are told. The customer pays in the wallet's own currency.
create or replace function wallet.checkout_request(
    p_topup wallet.topups,
    p_name text,
    p_customer_id text,
    p_return_url text,
    p_user_id text,
    p_user_email text
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    with told as (
        select
            jsonb_strip_nulls(
                jsonb_build_object(
                    'type', p_topup.kind,
                    'org_id', p_topup.org_id,
                    'amount_pence', p_topup.amount_pence::text,
                    'topup_id', p_topup.id,
                    'plan', p_topup.plan,
                    'userId', p_user_id,
                    'userEmail', p_user_email
                )
            ) as metadata
    )

    select jsonb_build_object(
        'mode', 'payment',
        'customer', p_customer_id,
        'client_reference_id', p_topup.org_id,
        'metadata', metadata,
        'payment_intent_data', jsonb_build_object('metadata', metadata, 'setup_future_usage', 'off_session'),
        'adaptive_pricing', jsonb_build_object('enabled', false),
        'invoice_creation', jsonb_build_object('enabled', true),
        'line_items', jsonb_build_array(
            jsonb_build_object(
                'quantity', 1,
                'price_data', jsonb_build_object(
                    'currency', p_topup.currency,
                    'unit_amount', p_topup.price_pence,
                    'product_data', jsonb_build_object('name', p_name)
                )
            )
        ),
        'success_url', wallet.topup_return_url(p_topup.id, p_return_url, 'success'),
        'cancel_url', wallet.topup_return_url(p_topup.id, p_return_url, 'cancelled')
    )
    from told
$$;

revoke all on function wallet.checkout_request(wallet.topups, text, text, text, text, text) from public;

comment on function wallet.checkout_request(wallet.topups, text, text, text, text, text) is
'Internal: what Stripe is asked for to collect a top-up: a checkout session that also saves the card for off-session use and makes an invoice.';
