create or replace function wallet.describe_topup(p_topup wallet.topups)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'topup_id', p_topup.id,
        'org_id', p_topup.org_id,
        'status', p_topup.status,
        'currency', p_topup.currency,
        'price_pence', p_topup.price_pence,
        'amount_pence', p_topup.amount_pence,
        'bonus_pence', p_topup.bonus_pence,
        'checkout_session_id', p_topup.stripe_checkout_session_id,
        'checkout_url', p_topup.checkout_url,
        'expires_at', p_topup.expires_at
    )
    || case
        when p_topup.checkout_url is not null then '{"next": "redirect"}'
        else jsonb_build_object(
            'next', 'create_session',
            'request', jsonb_build_object('idempotency_key', p_topup.id, 'params', p_topup.stripe_request)
        )
    end
$$;

revoke all on function wallet.describe_topup(wallet.topups) from public;

comment on function wallet.describe_topup(wallet.topups) is
'Internal: a top-up as its caller sees it, with what to do next: ask Stripe for its session, or send the customer there.';
