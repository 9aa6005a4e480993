-- A payment intent doesn't tell its tax. metadata.amount_pence, the face value that wallet payments
-- carry, keeps the tax of a checkout from being handed out as credit.
-- The card is kept only when Stripe says that it may be charged again.
create or replace function wallet.read_payment_intent(p_intent jsonb)
returns wallet.stripe_payment
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_payment wallet.stripe_payment := wallet.read_wallet_metadata(p_intent);
    v_face_value text;
begin
    if v_payment.kind is null then
        return null;
    end if;

    v_payment.payment_intent_id := wallet.read_stripe_text(p_intent, 'id');
    if v_payment.payment_intent_id is null then
        perform wallet.raise_misuse('WL010', 'data.object.id', 'is required');
    elsif v_payment.currency is null then
        perform wallet.raise_misuse('WL010', 'data.object.currency', 'is required');
    end if;

    v_payment.charge_id := wallet.read_stripe_text(p_intent, 'latest_charge');
    if wallet.read_stripe_text(p_intent, 'setup_future_usage') = 'off_session' then
        v_payment.payment_method_id := wallet.read_stripe_text(p_intent, 'payment_method');
    end if;

    v_payment.charged_pence := wallet.read_stripe_amount(p_intent, 'amount_received');
    v_payment.amount_pence := v_payment.charged_pence;
    v_face_value := wallet.read_stripe_text(p_intent, 'metadata.amount_pence');
    if v_face_value ~ '^[0-9]{1,18}$' then
        v_payment.amount_pence := least(v_payment.amount_pence, v_face_value::bigint);
    end if;
    v_payment.tax_known := false;
    return v_payment;
end;
$$;

revoke all on function wallet.read_payment_intent(jsonb) from public;

comment on function wallet.read_payment_intent(jsonb) is
'The wallet payment in a Stripe payment intent; null when it is none. Raises WL010, WL011.';
