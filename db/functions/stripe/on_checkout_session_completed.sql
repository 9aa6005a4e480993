create or replace function wallet.on_checkout_session_completed(p_payment wallet.stripe_payment, p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Bank debits and the like complete the session days before the money is there.
    if p_object ->> 'payment_status' = 'paid' or p_payment.amount_pence = 0 then
        return wallet.credit_topup(p_payment);
    end if;
    return wallet.note_topup(p_payment, 'pending');
end;
$$;

revoke all on function wallet.on_checkout_session_completed(wallet.stripe_payment, jsonb) from public;

comment on function wallet.on_checkout_session_completed(wallet.stripe_payment, jsonb) is
'Handler: credits a session that is paid, notes one that is still unpaid.';
