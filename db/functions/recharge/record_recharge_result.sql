-- A payment intent in the answer is news like an event's and goes the same way, whichever comes first.
create or replace function wallet.record_recharge_result(p_org_id uuid, p_attempt_id uuid, p_result jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_error constant jsonb := p_result -> 'error';
    v_intent jsonb;
    v_answer jsonb := '{}'::jsonb;
    v_attempt wallet.recharge_attempts;
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
    elsif v_attempt.state in ('calling', 'unknown') then
        perform wallet.note_unclear_recharge(v_attempt, p_result, v_intent is not null, v_answer ->> 'message');
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
