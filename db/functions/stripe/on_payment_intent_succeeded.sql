create or replace function wallet.on_payment_intent_succeeded(p_payment wallet.stripe_payment, p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return wallet.credit_topup(p_payment) || wallet.note_recharge(p_payment, 'succeeded');
end;
$$;

revoke all on function wallet.on_payment_intent_succeeded(wallet.stripe_payment, jsonb) from public;

comment on function wallet.on_payment_intent_succeeded(wallet.stripe_payment, jsonb) is
'Handler: the one credit of a recharge, and the backstop for a checkout.';
