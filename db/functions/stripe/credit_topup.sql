-- Where every paid event ends. The key is the payment intent (the session where there is none), so
-- two events of one payment, and a backend that called add_wallet_credits for it, make one credit.
create or replace function wallet.credit_topup(p_payment wallet.stripe_payment)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_topup wallet.topups := wallet.lock_topup(p_payment);
    v_amount constant bigint := coalesce(v_topup.amount_pence, p_payment.amount_pence);
    v_key constant text := coalesce(
        v_topup.idempotency_key,
        'topup:' || coalesce(
            p_payment.payment_intent_id, v_topup.stripe_payment_intent_id, p_payment.checkout_session_id
        )
    );
    v_answer jsonb;
begin
    if p_payment.amount_pence < v_amount or (p_payment.tax_known and p_payment.amount_pence > v_amount) then
        perform wallet.fail_event(
            'amount_mismatch',
            format(
                'The payment comes to %s %s, its top-up to %s.', p_payment.amount_pence, p_payment.currency, v_amount
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
        p_stripe_payment_intent_id => coalesce(p_payment.payment_intent_id, v_topup.stripe_payment_intent_id),
        p_stripe_charge_id => p_payment.charge_id
    );
    if not (v_answer ->> 'success')::boolean then
        perform wallet.fail_event(v_answer ->> 'error', v_answer ->> 'message');
    end if;

    perform wallet.save_topup(v_topup, p_payment, 'paid', v_amount, v_key);

    return v_answer || jsonb_build_object('outcome', 'processed');
end;
$$;

revoke all on function wallet.credit_topup(wallet.stripe_payment) from public;

comment on function wallet.credit_topup(wallet.stripe_payment) is
'Internal: credits a paid wallet payment once and keeps its customer and card where none is known. Raises WL011: organization_not_found, currency_mismatch, amount_mismatch, idempotency_conflict.';
