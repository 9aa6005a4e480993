-- Events come in any order, so a top-up only ever moves forward in this list: what was paid stays
-- paid whatever older news arrives, and keeps the payment intent that its credit is keyed by.
create or replace function wallet.save_topup(
    p_topup wallet.topups,
    p_payment wallet.stripe_payment,
    p_status text,
    p_amount_pence bigint,
    p_last_error text default null
)
returns wallet.topups
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_order constant text[] := array['pending', 'failed', 'expired', 'canceled', 'paid'];
    v_topup wallet.topups;
begin
    if p_topup.id is null then
        insert into wallet.topups (
            org_id, kind, status, amount_pence, currency, stripe_checkout_session_id, stripe_payment_intent_id,
            last_error
        )
        values (
            p_payment.org_id, p_payment.kind, p_status, p_amount_pence, p_payment.currency,
            p_payment.checkout_session_id, p_payment.payment_intent_id, p_last_error
        )
        returning * into v_topup;
    else
        update wallet.topups
        set
            status = case
                when array_position(v_order, p_status) > array_position(v_order, status) then p_status else status
            end,
            amount_pence = coalesce(amount_pence, p_amount_pence),
            stripe_checkout_session_id = coalesce(stripe_checkout_session_id, p_payment.checkout_session_id),
            stripe_payment_intent_id = case
                when status = 'paid' then stripe_payment_intent_id
                else coalesce(stripe_payment_intent_id, p_payment.payment_intent_id)
            end,
            last_error = coalesce(p_last_error, last_error),
            updated_at = clock_timestamp()
        where org_id = p_topup.org_id and id = p_topup.id
        returning * into v_topup;
    end if;

    return v_topup;
end;
$$;

revoke all on function wallet.save_topup(wallet.topups, wallet.stripe_payment, text, bigint, text) from public;

comment on function wallet.save_topup(wallet.topups, wallet.stripe_payment, text, bigint, text) is
'Internal: records how far a payment came, creating its top-up when an event is the first to tell of it. The caller holds the organization''s lock.';
