-- Events come in any order, so a top-up only ever moves forward in this list. One that was paid is
-- settled: older news changes nothing of it. And what failed before the checkout was complete was one
-- attempt at it: from its end on, the session's word counts.
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
    v_attempt_failed constant boolean := (
        p_topup.status = 'failed'
        and p_payment.checkout_session_id is not null
        and not wallet.is_checkout_complete(p_topup)
    );
    v_absorbed wallet.topups;
    v_topup wallet.topups;
begin
    if p_topup.id is null then
        insert into wallet.topups (
            org_id, kind, status, amount_pence, currency, stripe_checkout_session_id, stripe_payment_intent_id,
            charged_pence, idempotency_key, last_error
        )
        values (
            p_payment.org_id, p_payment.kind, p_status, p_amount_pence, p_payment.currency,
            p_payment.checkout_session_id, p_payment.payment_intent_id,
            nullif(p_payment.charged_pence, 0), p_idempotency_key, p_last_error
        )
        returning * into v_topup;
    elsif p_topup.status = 'paid' then
        update wallet.topups
        set
            stripe_checkout_session_id = coalesce(stripe_checkout_session_id, p_payment.checkout_session_id),
            charged_pence = coalesce(charged_pence, nullif(p_payment.charged_pence, 0))
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

        -- Stripe tells of a session once it is complete or expired: its page is closed then.
        update wallet.topups
        set
            status = v_order[greatest(
                array_position(v_order, case when v_attempt_failed then 'pending' else status end),
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
            checkout_url = case when p_payment.checkout_session_id is null then checkout_url end,
            charged_pence = coalesce(v_absorbed.charged_pence, charged_pence, nullif(p_payment.charged_pence, 0)),
            refunded_pence = coalesce(v_absorbed.refunded_pence, refunded_pence),
            reversed_pence = coalesce(v_absorbed.reversed_pence, reversed_pence),
            reversals = coalesce(v_absorbed.reversals, reversals),
            idempotency_key = coalesce(v_absorbed.idempotency_key, p_idempotency_key),
            last_error = coalesce(p_last_error, last_error),
            updated_at = clock_timestamp()
        where org_id = p_topup.org_id and id = p_topup.id
        returning * into v_topup;
    end if;

    perform wallet.keep_customer(
        p_payment.org_id,
        p_payment.customer_id,
        case v_topup.status when 'paid' then p_payment.payment_method_id end
    );

    return v_topup;
end;
$$;

revoke all on function wallet.save_topup(wallet.topups, wallet.stripe_payment, text, bigint, text, text) from public;

comment on function wallet.save_topup(wallet.topups, wallet.stripe_payment, text, bigint, text, text) is
'Internal: records how far a payment came, creating its top-up when an event is the first to tell of it. The caller holds the organization''s lock.';
