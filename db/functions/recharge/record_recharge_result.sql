-- A payment intent in the answer is news like an event's and goes the same way, whichever comes first.
-- Without one, only a refusal of the charge itself proves that no money moved; all else leaves the slot
-- taken.
create or replace function wallet.record_recharge_result(p_org_id uuid, p_attempt_id uuid, p_result jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_error constant jsonb := p_result -> 'error';
    v_message constant text := left(coalesce(v_error ->> 'message', v_error ->> 'type', 'Stripe did not answer.'), 250);
    v_intent jsonb;
    v_answer jsonb := '{}';
    v_attempt wallet.recharge_attempts;
    v_payment wallet.stripe_payment;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_attempt_id', p_attempt_id);
    if jsonb_typeof(p_result) is distinct from 'object' or not p_result ?| array['payment_intent', 'payment_intents', 'error'] then
        perform wallet.raise_misuse('WL006', 'p_result', 'must hold payment_intent, payment_intents or error', p_result::text);
    end if;

    select i into v_intent
    from jsonb_array_elements(
        jsonb_build_array(p_result -> 'payment_intent', v_error -> 'payment_intent')
        || coalesce(p_result -> 'payment_intents', '[]')
    ) as i
    where i #>> '{metadata,attempt_id}' = p_attempt_id::text
    limit 1;

    if found then
        v_answer := wallet.process_stripe_event(wallet.payment_intent_event(v_intent));
    end if;

    perform from wallet.organizations where id = p_org_id for no key update;
    select * into v_attempt
    from wallet.recharge_attempts
    where org_id = p_org_id and id = p_attempt_id
    for no key update;
    if not found then
        return wallet.refuse_unknown_recharge(p_org_id, p_attempt_id);
    end if;

    if v_intent is null or v_answer ->> 'outcome' in ('failed', 'ignored') then
        v_payment := jsonb_populate_record(
            null::wallet.stripe_payment,
            jsonb_build_object('kind', 'wallet_auto_recharge', 'org_id', p_org_id, 'topup_id', p_attempt_id)
        );
        case
            when v_attempt.closed_at is not null or v_attempt.state in ('requires_action', 'processing', 'unresolved') then
                null;
            when v_intent is null and p_result ? 'payment_intents' then
                perform wallet.note_recharge(
                    v_payment, 'unresolved', 'Stripe has no payment intent of this attempt, and its key is too old to ask again.'
                );
            when
                v_intent is null
                and v_attempt.state = 'calling'
                and v_error ->> 'http_status' in ('400', '402', '404')
                and v_error ->> 'type' in ('card_error', 'invalid_request_error')
            then
                perform wallet.note_topup(v_payment, 'failed', v_message);
                perform wallet.note_recharge(
                    v_payment, 'declined', v_message, coalesce(v_error ->> 'decline_code', v_error ->> 'code'),
                    v_error ->> 'advice_code'
                );
            else
                update wallet.recharge_attempts
                set
                    state = 'unknown',
                    last_error = coalesce(v_answer ->> 'message', v_message),
                    next_try_at = clock_timestamp() + make_interval(secs => least(2 ^ least(claims, 12), 3600)),
                    updated_at = clock_timestamp()
                where org_id = p_org_id and id = p_attempt_id;
        end case;
    end if;

    -- What waits for the customer, their bank or a person is not worth asking about every minute.
    update wallet.recharge_attempts
    set next_try_at = case
        when state in ('processing', 'requires_action', 'unresolved')
            then greatest(next_try_at, clock_timestamp() + interval '1 hour')
        else next_try_at
    end
    where org_id = p_org_id and id = p_attempt_id
    returning * into strict v_attempt;

    return v_answer || jsonb_build_object(
        'success', true, 'org_id', p_org_id, 'attempt_id', p_attempt_id, 'state', v_attempt.state
    );
end;
$$;

revoke all on function wallet.record_recharge_result(uuid, uuid, jsonb) from public;
grant execute on function wallet.record_recharge_result(uuid, uuid, jsonb) to wallet_worker, service_role;

comment on function wallet.record_recharge_result(uuid, uuid, jsonb) is
'Takes what Stripe said about an attempt, as it said it: {payment_intent}, {payment_intents: the whole list of a look-up} or {error: {http_status, type, code, decline_code, advice_code, message, payment_intent}}. Credits, closes, or leaves it to be asked again with the same key. Locks the payment intent, then the organization''s row. Refuses recharge_not_found; raises WL001, WL006, WL010.';
