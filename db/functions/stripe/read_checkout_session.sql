-- Credit is amount_total less tax: docs.stripe.com/api/checkout/sessions/object.
create or replace function wallet.read_checkout_session(p_session jsonb)
returns wallet.stripe_payment
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_payment wallet.stripe_payment := wallet.read_wallet_metadata(p_session);
    v_tax bigint := 0;
begin
    if v_payment.kind is null then
        return null;
    end if;

    v_payment.checkout_session_id := wallet.read_stripe_text(p_session, 'id');
    v_payment.payment_intent_id := wallet.read_stripe_text(p_session, 'payment_intent');
    if v_payment.checkout_session_id is null then
        perform wallet.raise_misuse('WL010', 'data.object.id', 'is required');
    elsif v_payment.currency is null then
        perform wallet.raise_misuse('WL010', 'data.object.currency', 'is required');
    end if;

    v_payment.charged_pence := wallet.read_stripe_amount(p_session, 'amount_total');
    if jsonb_typeof(p_session #> '{total_details,amount_tax}') <> 'null' then
        v_tax := wallet.read_stripe_amount(p_session, 'total_details.amount_tax');
    end if;
    if v_tax > v_payment.charged_pence then
        perform wallet.raise_misuse(
            'WL010', 'data.object.total_details.amount_tax', 'must not exceed amount_total', v_tax::text
        );
    end if;
    v_payment.amount_pence := v_payment.charged_pence - v_tax;
    v_payment.tax_known := true;
    return v_payment;
end;
$$;

revoke all on function wallet.read_checkout_session(jsonb) from public;

comment on function wallet.read_checkout_session(jsonb) is
'The wallet payment in a Stripe checkout session, amount less tax; null when it is none. Raises WL010, WL011.';
