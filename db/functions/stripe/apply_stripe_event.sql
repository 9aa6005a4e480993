create or replace function wallet.apply_stripe_event(p_event jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_type constant text := p_event ->> 'type';
    v_object constant jsonb := p_event #> '{data,object}';
    v_payment wallet.stripe_payment;
    v_foreign text;
begin
    if v_type ~ '^(checkout\.session|payment_intent)\.' then
        if wallet.stripe_payment_kind(v_object) is null then
            return wallet.ignore_event('metadata.type does not say that this is a wallet payment.');
        end if;
    elsif v_type <> all(wallet.stripe_event_types()) then
        return wallet.ignore_event('Nothing is done on ' || v_type || '.');
    end if;

    v_foreign := wallet.foreign_event_reason(p_event);
    if v_foreign is not null then
        return wallet.ignore_event(v_foreign);
    end if;

    if v_type like 'checkout.session.%' then
        v_payment := wallet.read_checkout_session(v_object);
    elsif v_type like 'payment_intent.%' then
        v_payment := wallet.read_payment_intent(v_object);
    end if;

    case v_type
        when 'checkout.session.completed' then
            return wallet.on_checkout_session_completed(v_payment, v_object);
        when 'checkout.session.async_payment_succeeded' then
            return wallet.on_checkout_session_async_payment_succeeded(v_payment, v_object);
        when 'checkout.session.async_payment_failed' then
            return wallet.on_checkout_session_async_payment_failed(v_payment, v_object);
        when 'checkout.session.expired' then
            return wallet.on_checkout_session_expired(v_payment, v_object);
        when 'payment_intent.succeeded' then
            return wallet.on_payment_intent_succeeded(v_payment, v_object);
        when 'payment_intent.payment_failed' then
            return wallet.on_payment_intent_payment_failed(v_payment, v_object);
        when 'payment_intent.canceled' then
            return wallet.on_payment_intent_canceled(v_payment, v_object);
        when 'payment_intent.processing' then
            return wallet.on_payment_intent_processing(v_payment, v_object);
        when 'payment_intent.requires_action' then
            return wallet.on_payment_intent_requires_action(v_payment, v_object);
        when 'refund.created' then
            return wallet.on_refund(v_object);
        when 'refund.updated' then
            return wallet.on_refund(v_object);
        when 'refund.failed' then
            return wallet.on_refund(v_object);
        when 'charge.refunded' then
            return wallet.on_charge_refunded(v_object);
        when 'charge.dispute.created' then
            return wallet.on_charge_dispute(v_object);
        when 'charge.dispute.funds_withdrawn' then
            return wallet.on_charge_dispute(v_object, p_withdrawn => true);
        when 'charge.dispute.funds_reinstated' then
            return wallet.on_charge_dispute(v_object, p_reinstated => true);
        when 'charge.dispute.closed' then
            return wallet.on_charge_dispute(v_object);
        when 'radar.early_fraud_warning.created' then
            return wallet.on_radar_early_fraud_warning_created(v_object);
        when 'payment_method.attached' then
            return wallet.on_payment_method_attached(v_object);
        when 'payment_method.automatically_updated' then
            return wallet.on_payment_method_automatically_updated(v_object);
        when 'payment_method.detached' then
            return wallet.on_payment_method_detached(v_object);
        else
            return wallet.ignore_event('Nothing is done on ' || v_type || '.');
    end case;
end;
$$;

revoke all on function wallet.apply_stripe_event(jsonb) from public;

comment on function wallet.apply_stripe_event(jsonb) is
'Internal: hands an event to the handler of its type. Raises WL010 for a malformed event, WL011 for one that a person has to see.';
