create or replace function wallet.missing_payment_events(p_intent jsonb)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_type text;
    v_known text[];
begin
    if wallet.stripe_payment_kind(p_intent) is null then
        return '{}';
    end if;

    case p_intent ->> 'status'
        when 'succeeded' then
            v_type := 'payment_intent.succeeded';
            v_known := array['paid'];
        when 'canceled' then
            v_type := 'payment_intent.canceled';
            v_known := array['canceled', 'paid'];
        when 'processing' then
            v_type := 'payment_intent.processing';
            v_known := array['pending', 'failed', 'expired', 'canceled', 'paid'];
        when 'requires_action' then
            v_type := 'payment_intent.requires_action';
            v_known := array['pending', 'failed', 'expired', 'canceled', 'paid'];
        else
            -- A new payment intent requires a payment method too.
            if jsonb_typeof(p_intent -> 'last_payment_error') is distinct from 'object' then
                return '{}';
            end if;
            v_type := 'payment_intent.payment_failed';
            v_known := array['failed', 'expired', 'canceled', 'paid'];
    end case;

    if exists (
        select from wallet.topups
        where stripe_payment_intent_id = p_intent ->> 'id' and status = any(v_known)
    ) then
        return '{}';
    end if;
    return array[v_type];
end;
$$;

revoke all on function wallet.missing_payment_events(jsonb) from public;

comment on function wallet.missing_payment_events(jsonb) is
'Internal: the type of the event that would tell the present state of a payment intent, unless its top-up has come that far already or it is no wallet payment.';
