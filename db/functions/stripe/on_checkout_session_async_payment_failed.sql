create or replace function wallet.on_checkout_session_async_payment_failed(
    p_payment wallet.stripe_payment, p_object jsonb
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return wallet.note_topup(p_payment, 'failed', 'The delayed payment failed.');
end;
$$;

revoke all on function wallet.on_checkout_session_async_payment_failed(wallet.stripe_payment, jsonb) from public;

comment on function wallet.on_checkout_session_async_payment_failed(wallet.stripe_payment, jsonb) is
'Handler: the delayed payment of a session failed; no money moves.';
