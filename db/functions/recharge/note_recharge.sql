-- Response, event and look-up tell of the same attempt; whichever comes first changes it. A closed
-- attempt stays closed, but money that arrived after all is told. An intent that waits for its customer
-- can still be paid after another card was declined for it: it ends paid or canceled.
create or replace function wallet.note_recharge(
    p_payment wallet.stripe_payment,
    p_state text,
    p_error text default null,
    p_decline_code text default null,
    p_advice_code text default null
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before wallet.recharge_attempts;
    v_attempt wallet.recharge_attempts;
begin
    if p_payment.kind <> 'wallet_auto_recharge' then
        return '{}';
    end if;

    select * into v_before
    from wallet.recharge_attempts
    where org_id = p_payment.org_id and id = p_payment.topup_id
    for no key update;

    if
        not found
        or v_before.state = p_state
        or (v_before.closed_at is not null and p_state <> 'succeeded')
        or (v_before.state = 'requires_action' and p_state = 'declined')
    then
        return '{}';
    end if;

    update wallet.recharge_attempts
    set
        state = p_state,
        stripe_payment_intent_id = coalesce(stripe_payment_intent_id, p_payment.payment_intent_id),
        decline_code = p_decline_code,
        last_error = p_error,
        next_try_at = clock_timestamp() + case p_state
            when 'processing' then interval '1 hour'
            else interval '24 hours'
        end,
        updated_at = clock_timestamp(),
        closed_at = case when p_state in ('succeeded', 'declined', 'canceled') then clock_timestamp() end
    where org_id = v_before.org_id and id = v_before.id
    returning * into v_attempt;

    case p_state
        when 'succeeded' then
            update wallet.recharge_settings set declines = 0 where org_id = v_attempt.org_id;
        when 'declined' then
            perform wallet.announce_recharge(v_attempt, 'recharge_failed', 'was declined: ' || p_error);
            perform wallet.count_decline(v_attempt, p_advice_code);
        when 'requires_action' then
            perform wallet.announce_recharge(
                v_attempt, 'recharge_needs_action', 'waits for the customer, whose bank wants to see them confirm it'
            );
        when 'unresolved' then
            perform wallet.announce_recharge(v_attempt, 'recharge_unresolved', 'has an unknown outcome: ' || p_error);
        else
            null;
    end case;

    return jsonb_build_object('recharge_state', v_attempt.state);
end;
$$;

revoke all on function wallet.note_recharge(wallet.stripe_payment, text, text, text, text) from public;

comment on function wallet.note_recharge(wallet.stripe_payment, text, text, text, text) is
'Internal: moves the attempt of an automatic recharge to a new state and tells the outbox; nothing for any other payment, or for older news. The caller holds the organization''s lock.';
