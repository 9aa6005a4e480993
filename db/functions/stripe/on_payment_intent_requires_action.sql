create or replace function wallet.on_payment_intent_requires_action(p_payment wallet.stripe_payment, p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return wallet.note_topup(p_payment, 'pending') || wallet.note_recharge(p_payment, 'requires_action');
end;
$$;

revoke all on function wallet.on_payment_intent_requires_action(wallet.stripe_payment, jsonb) from public;

comment on function wallet.on_payment_intent_requires_action(wallet.stripe_payment, jsonb) is
'Handler: a payment waits for the customer; no money yet.';
