create or replace function wallet.announce_recharge(
    p_attempt wallet.recharge_attempts,
    p_topic text,
    p_what text
)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select wallet.emit_message(
        p_topic,
        p_attempt.org_id,
        jsonb_build_object(
            'message', format(
                'An automatic recharge of %s %s.',
                wallet.format_money(p_attempt.amount_pence, p_attempt.currency),
                rtrim(p_what, '.')
            ),
            'attempt_id', p_attempt.id,
            'amount_pence', p_attempt.amount_pence,
            'stripe_payment_intent_id', p_attempt.stripe_payment_intent_id,
            'decline_code', p_attempt.decline_code
        )
    )
$$;

revoke all on function wallet.announce_recharge(wallet.recharge_attempts, text, text) from public;

comment on function wallet.announce_recharge(wallet.recharge_attempts, text, text) is
'Internal: tells the outbox of an attempt that needs somebody''s eye.';
