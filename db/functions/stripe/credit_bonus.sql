create or replace function wallet.credit_bonus(
    p_topup wallet.topups,
    p_topup_key text,
    p_payment_intent_id text
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_answer constant jsonb := wallet.post_transaction(
        p_org_id => p_topup.org_id,
        p_type => 'bonus',
        p_direction => 'credit',
        p_amount_pence => p_topup.bonus_pence,
        p_idempotency_key => 'bonus:' || p_topup_key,
        p_overdraft => null,
        p_created_by => 'stripe',
        p_description => format('Bonus of plan %s', p_topup.plan),
        p_stripe_payment_intent_id => p_payment_intent_id
    );
begin
    if not (v_answer ->> 'success')::boolean then
        perform wallet.fail_event(v_answer ->> 'error', v_answer ->> 'message');
    end if;

    return jsonb_build_object('bonus_pence', p_topup.bonus_pence, 'balance_after', v_answer -> 'balance_after');
end;
$$;

revoke all on function wallet.credit_bonus(wallet.topups, text, text) from public;

comment on function wallet.credit_bonus(wallet.topups, text, text) is
'Internal: the bonus entry of a top-up, once, under bonus:<key of its topup entry>. Raises WL011: idempotency_conflict.';
