-- Where every paid event ends. The key is the payment intent (the session where there is none), so
-- two events of one payment make one credit. A backend that called add_wallet_credits for it may have
-- given another key, on a row of its own.
create or replace function wallet.credit_topup(p_payment wallet.stripe_payment)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_topup wallet.topups := wallet.lock_topup(p_payment);
    v_known constant boolean := coalesce(v_topup.status = 'paid' and v_topup.charged_pence is not null, false);
    v_amount constant bigint := coalesce(v_topup.amount_pence, p_payment.amount_pence);
    v_price constant bigint := coalesce(v_topup.price_pence, v_amount);
    v_intent constant text := coalesce(p_payment.payment_intent_id, v_topup.stripe_payment_intent_id);
    v_key constant text := coalesce(
        v_topup.idempotency_key,
        (
            select idempotency_key
            from wallet.topups
            where org_id = p_payment.org_id and stripe_payment_intent_id = v_intent
        ),
        'topup:' || coalesce(v_intent, p_payment.checkout_session_id)
    );
    v_answer jsonb;
begin
    -- A payment intent doesn't tell its tax, so it may come to more than the price.
    if
        (p_payment.tax_known and p_payment.amount_pence <> v_price)
        or (v_topup.price_pence is null and p_payment.amount_pence < v_price)
        or p_payment.charged_pence < v_price
    then
        perform wallet.fail_event(
            'amount_mismatch',
            format(
                'The payment comes to %s %s, its top-up to %s.', p_payment.amount_pence, p_payment.currency, v_price
            )
        );
    elsif v_amount = 0 then
        return jsonb_build_object(
            'success', true, 'outcome', 'processed', 'amount_pence', 0, 'message', 'Nothing was paid, nothing is credited.'
        );
    end if;

    v_answer := wallet.post_transaction(
        p_org_id => p_payment.org_id,
        p_type => 'topup',
        p_direction => 'credit',
        p_amount_pence => v_amount,
        p_idempotency_key => v_key,
        p_overdraft => null,
        p_created_by => 'stripe',
        p_description => case p_payment.kind when 'wallet_auto_recharge' then 'Automatic recharge' else 'Top-up' end,
        p_stripe_payment_intent_id => v_intent,
        p_stripe_charge_id => p_payment.charge_id
    );
    if not (v_answer ->> 'success')::boolean then
        perform wallet.fail_event(v_answer ->> 'error', v_answer ->> 'message');
    end if;

    if v_topup.bonus_pence > 0 then
        v_answer := v_answer || wallet.credit_bonus(v_topup, v_key, v_intent);
    end if;

    v_topup := wallet.save_topup(v_topup, p_payment, 'paid', v_amount, v_key);

    if not (v_answer ->> 'duplicate')::boolean then
        perform wallet.announce_topup(v_topup);
        perform wallet.apply_parked_events(v_intent);
    elsif not v_known then
        -- A bonus, or the tax that was charged, may have become known after a refund.
        perform wallet.reverse_topup(v_topup, 'Refunds and disputes');
    end if;

    return v_answer || jsonb_build_object('outcome', 'processed');
end;
$$;

revoke all on function wallet.credit_topup(wallet.stripe_payment) from public;

comment on function wallet.credit_topup(wallet.stripe_payment) is
'Internal: credits a paid wallet payment once, with its bonus, keeps its customer and card where none is known, and applies what was parked for it. Raises WL011: organization_not_found, currency_mismatch, amount_mismatch, idempotency_conflict.';
