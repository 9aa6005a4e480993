-- A card is paid at once or not at all: where a checkout is complete and its payment still to come, a card
-- that was declined is of an earlier attempt.
create or replace function wallet.on_payment_intent_payment_failed(p_payment wallet.stripe_payment, p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_error constant jsonb := p_object -> 'last_payment_error';
    v_message constant text := coalesce(
        wallet.read_stripe_text(p_object, 'last_payment_error.message'),
        wallet.read_stripe_text(p_object, 'last_payment_error.code'),
        'The payment failed.'
    );
    v_is_old constant boolean := (
        wallet.is_checkout_complete(wallet.lock_topup(p_payment))
        and coalesce(v_error #>> '{payment_method,type}' = 'card', false)
    );
begin
    return case
        when v_is_old then wallet.note_topup(p_payment, 'pending')
        else wallet.note_topup(p_payment, 'failed', v_message)
    end
    || wallet.note_recharge(
        p_payment,
        case
            when 'authentication_required' in (v_error ->> 'code', v_error ->> 'decline_code') then 'requires_action'
            else 'declined'
        end,
        v_message,
        coalesce(v_error ->> 'decline_code', v_error ->> 'code'),
        v_error ->> 'advice_code'
    );
end;
$$;

revoke all on function wallet.on_payment_intent_payment_failed(wallet.stripe_payment, jsonb) from public;

comment on function wallet.on_payment_intent_payment_failed(wallet.stripe_payment, jsonb) is
'Handler: an attempt to pay was declined; no money moves, and a later attempt may succeed.';
