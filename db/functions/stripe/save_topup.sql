-- Events come in any order, so a top-up only ever moves forward in this list. One that was paid is
-- settled: older news changes nothing of it.
create or replace function wallet.save_topup(
    p_topup wallet.topups,
    p_payment wallet.stripe_payment,
    p_status text,
    p_amount_pence bigint,
    p_idempotency_key text default null,
    p_last_error text default null
)
returns wallet.topups
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_order constant text[] := array['pending', 'failed', 'expired', 'canceled', 'paid'];
    v_absorbed wallet.topups;
    v_topup wallet.topups;
    v_card text;
begin
    if p_topup.id is null then
        insert into wallet.topups (
            org_id, kind, status, amount_pence, currency, stripe_checkout_session_id, stripe_payment_intent_id,
            idempotency_key, last_error
        )
        values (
            p_payment.org_id, p_payment.kind, p_status, p_amount_pence, p_payment.currency,
            p_payment.checkout_session_id, p_payment.payment_intent_id, p_idempotency_key, p_last_error
        )
        returning * into v_topup;
    elsif p_topup.status = 'paid' then
        update wallet.topups
        set stripe_checkout_session_id = coalesce(stripe_checkout_session_id, p_payment.checkout_session_id)
        where org_id = p_topup.org_id and id = p_topup.id
        returning * into v_topup;
    else
        -- What a payment intent that didn't name its top-up has made of its own ends in this one.
        delete from wallet.topups
        where
            org_id = p_topup.org_id
            and id <> p_topup.id
            and stripe_payment_intent_id = p_payment.payment_intent_id
        returning * into v_absorbed;

        update wallet.topups
        set
            status = v_order[greatest(
                array_position(v_order, status),
                array_position(v_order, p_status),
                array_position(v_order, v_absorbed.status)
            )],
            amount_pence = case
                when v_absorbed.status = 'paid' then v_absorbed.amount_pence
                when p_status = 'paid' then p_amount_pence
                else coalesce(amount_pence, p_amount_pence)
            end,
            stripe_checkout_session_id = coalesce(stripe_checkout_session_id, p_payment.checkout_session_id),
            stripe_payment_intent_id = coalesce(stripe_payment_intent_id, p_payment.payment_intent_id),
            idempotency_key = coalesce(v_absorbed.idempotency_key, p_idempotency_key),
            last_error = coalesce(p_last_error, last_error),
            updated_at = clock_timestamp()
        where org_id = p_topup.org_id and id = p_topup.id
        returning * into v_topup;
    end if;

    -- The first customer stays, and so does the first card that has paid.
    if v_topup.status = 'paid' then
        v_card := p_payment.payment_method_id;
    end if;
    update wallet.organizations
    set
        stripe_customer_id = coalesce(stripe_customer_id, p_payment.customer_id),
        stripe_default_pm_id = coalesce(stripe_default_pm_id, v_card)
    where
        id = p_payment.org_id
        and (
            (stripe_customer_id is null and p_payment.customer_id is not null)
            or (stripe_default_pm_id is null and v_card is not null)
        );

    return v_topup;
end;
$$;

revoke all on function wallet.save_topup(wallet.topups, wallet.stripe_payment, text, bigint, text, text) from public;

comment on function wallet.save_topup(wallet.topups, wallet.stripe_payment, text, bigint, text, text) is
'Internal: records how far a payment came, creating its top-up when an event is the first to tell of it. The caller holds the organization''s lock.';
