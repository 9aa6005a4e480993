-- Only the first call's refusal proves that no money moved: a refused retry says nothing of the call
-- before it, a refused look-up nothing of any. All else leaves the slot taken, and after two days it is
-- for a person to clear up.
create or replace function wallet.note_unclear_recharge(
    p_attempt wallet.recharge_attempts,
    p_result jsonb,
    p_intent_told boolean,
    p_message text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_error constant jsonb := p_result -> 'error';
    v_message constant text := left(
        coalesce(p_message, v_error ->> 'message', v_error ->> 'type', 'Stripe did not answer.'), 250
    );
    v_payment constant wallet.stripe_payment := jsonb_populate_record(
        null::wallet.stripe_payment,
        jsonb_build_object('kind', 'wallet_auto_recharge', 'org_id', p_attempt.org_id, 'topup_id', p_attempt.id)
    );
begin
    if not p_intent_told and p_result ? 'payment_intents' then
        perform wallet.note_recharge(v_payment, 'unresolved', 'Stripe has no payment intent of this attempt.');
    elsif p_attempt.first_called_at <= clock_timestamp() - interval '2 days' then
        perform wallet.note_recharge(v_payment, 'unresolved', v_message);
    elsif
        not p_intent_told
        and p_attempt.state = 'calling'
        and p_attempt.claims = 1
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
            last_error = v_message,
            next_try_at = clock_timestamp() + make_interval(secs => least(2 ^ least(claims, 12), 3600)),
            updated_at = clock_timestamp()
        where org_id = p_attempt.org_id and id = p_attempt.id;
    end if;
end;
$$;

revoke all on function wallet.note_unclear_recharge(wallet.recharge_attempts, jsonb, boolean, text) from public;

comment on function wallet.note_unclear_recharge(wallet.recharge_attempts, jsonb, boolean, text) is
'Internal: what becomes of an attempt that Stripe''s answer did not move: declined where it proves that nothing was charged, unresolved where nobody can tell any more, unknown and asked again otherwise. The caller holds the organization''s lock.';
