create or replace function wallet.on_checkout_session_expired(p_payment wallet.stripe_payment, p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return wallet.note_topup(p_payment, 'expired');
end;
$$;

revoke all on function wallet.on_checkout_session_expired(wallet.stripe_payment, jsonb) from public;

comment on function wallet.on_checkout_session_expired(wallet.stripe_payment, jsonb) is
'Handler: a session ran out unpaid; no money moves.';
