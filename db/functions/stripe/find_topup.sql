-- A payment intent may not name its top-up and have made one of its own; the named one, then the
-- session's, is the real one.
create or replace function wallet.find_topup(p_payment wallet.stripe_payment)
returns wallet.topups
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_topup wallet.topups;
begin
    select * into v_topup
    from wallet.topups
    where
        org_id = p_payment.org_id
        and (
            id = p_payment.topup_id
            or stripe_checkout_session_id = p_payment.checkout_session_id
            or stripe_payment_intent_id = p_payment.payment_intent_id
        )
    order by
        (id = p_payment.topup_id) desc nulls last,
        (stripe_checkout_session_id = p_payment.checkout_session_id) desc nulls last
    limit 1;

    return v_topup;
end;
$$;

revoke all on function wallet.find_topup(wallet.stripe_payment) from public;

comment on function wallet.find_topup(wallet.stripe_payment) is
'Internal: the top-up that a payment belongs to, null when there is none yet.';
