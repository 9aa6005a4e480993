create or replace function wallet.on_payment_intent_canceled(p_payment wallet.stripe_payment, p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return wallet.note_topup(p_payment, 'canceled', wallet.read_stripe_text(p_object, 'cancellation_reason'))
    || wallet.note_recharge(p_payment, 'canceled');
end;
$$;

revoke all on function wallet.on_payment_intent_canceled(wallet.stripe_payment, jsonb) from public;

comment on function wallet.on_payment_intent_canceled(wallet.stripe_payment, jsonb) is
'Handler: a payment intent was canceled; no money moves.';
