-- A function of what is known, not of what just happened: whatever the order and number of events,
-- the same refunds and disputes end in the same balance. What a payment gave is taken back in the
-- proportion in which its money is gone, never twice and never more than all of it.
--
-- A charge tells the sum of its refunds, so it may know of one that has not been told of by itself; of
-- that sum, refunds that failed afterwards are no part.
create or replace function wallet.reverse_topup(p_topup wallet.topups, p_cause text)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_granted constant bigint := p_topup.amount_pence + p_topup.bonus_pence;
    v_charged constant bigint := coalesce(p_topup.charged_pence, p_topup.price_pence, p_topup.amount_pence);
    v_refunded numeric;
    v_failed numeric;
    v_disputed numeric;
    v_gone numeric;
    v_reversed bigint;
    v_answer jsonb;
begin
    select
        coalesce(sum(amount_pence) filter (where status not in ('failed', 'canceled')), 0),
        coalesce(sum(amount_pence) filter (where status in ('failed', 'canceled')), 0)
    into v_refunded, v_failed
    from wallet.stripe_refunds
    where org_id = p_topup.org_id and stripe_payment_intent_id = p_topup.stripe_payment_intent_id;

    select coalesce(sum(amount_pence), 0) into v_disputed
    from wallet.stripe_disputes
    where
        org_id = p_topup.org_id
        and stripe_payment_intent_id = p_topup.stripe_payment_intent_id
        and funds_withdrawn
        and not funds_reinstated;

    v_gone := least(v_charged, greatest(v_refunded, p_topup.refunded_pence - v_failed) + v_disputed);
    -- To the nearest minor unit, without a quotient that is rounded before.
    v_reversed := div(2 * v_gone * v_granted + v_charged, 2::numeric * v_charged);

    if v_reversed = p_topup.reversed_pence then
        return jsonb_build_object(
            'success', true, 'outcome', 'processed', 'org_id', p_topup.org_id, 'reversed_pence', v_reversed
        );
    end if;

    v_answer := wallet.post_transaction(
        p_org_id => p_topup.org_id,
        p_type => 'topup_reversal',
        p_direction => case when v_reversed > p_topup.reversed_pence then 'debit' else 'credit' end,
        p_amount_pence => abs(v_reversed - p_topup.reversed_pence),
        p_idempotency_key => format(
            'topup_reversal:%s:%s', p_topup.stripe_payment_intent_id, p_topup.reversals + 1
        ),
        p_overdraft => 'unlimited',
        p_created_by => 'stripe',
        p_description => p_cause,
        p_stripe_payment_intent_id => p_topup.stripe_payment_intent_id
    );
    if not (v_answer ->> 'success')::boolean then
        perform wallet.fail_event(v_answer ->> 'error', v_answer ->> 'message');
    end if;

    update wallet.topups
    set reversed_pence = v_reversed, reversals = reversals + 1, updated_at = clock_timestamp()
    where org_id = p_topup.org_id and id = p_topup.id;

    perform wallet.emit_message(
        'payment_reversed',
        p_topup.org_id,
        jsonb_build_object(
            'message', format(
                '%s: %s of a top-up of %s are taken back in all, the balance is %s.',
                p_cause,
                wallet.format_money(v_reversed, p_topup.currency),
                wallet.format_money(v_granted, p_topup.currency),
                wallet.format_money((v_answer ->> 'balance_after')::bigint, p_topup.currency)
            ),
            'topup_id', p_topup.id,
            'stripe_payment_intent_id', p_topup.stripe_payment_intent_id,
            'reversed_pence', v_reversed,
            'balance_pence', v_answer -> 'balance_after'
        )
    );

    return v_answer || jsonb_build_object(
        'outcome', 'processed', 'org_id', p_topup.org_id, 'reversed_pence', v_reversed
    );
end;
$$;

revoke all on function wallet.reverse_topup(wallet.topups, text) from public;

comment on function wallet.reverse_topup(wallet.topups, text) is
'Internal: brings what was taken back of a credited payment to credits granted × money gone ÷ money charged, rounded to the nearest minor unit, by one topup_reversal entry either way. The caller holds the payment intent''s and the organization''s locks.';
