create or replace function wallet.answer_call(p_call wallet.calls, p_duplicate boolean)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    -- As an expression in the look-up, a plan made while the ledger was small would filter by it.
    v_key constant text := 'call:' || p_call.call_id;
    v_wallet wallet.organizations;
    v_entry wallet.credit_transactions;
    v_reservation wallet.credit_reservations;
    v_answer jsonb;
begin
    select * into strict v_wallet
    from wallet.organizations
    where id = p_call.org_id;

    if p_call.transaction_id is not null then
        select * into strict v_entry
        from wallet.credit_transactions
        where org_id = p_call.org_id and idempotency_key = v_key;

        v_answer := wallet.answer_entry(
            v_entry, p_duplicate, v_wallet.debt_limit_pence, v_wallet.wallet_auto_recharge, v_wallet.wallet_low_balance_pence
        );
    else
        v_answer := jsonb_build_object(
            'success', true,
            'duplicate', p_duplicate,
            'transaction_id', null,
            'balance_before', v_wallet.wallet_balance_pence,
            'balance_after', v_wallet.wallet_balance_pence,
            'debt_limit', v_wallet.debt_limit_pence,
            'remaining_debt_capacity', greatest(
                0, v_wallet.debt_limit_pence + least(0, v_wallet.wallet_balance_pence)
            ),
            'in_debt', v_wallet.wallet_balance_pence < 0,
            'needs_recharge',
            v_wallet.wallet_auto_recharge and v_wallet.wallet_balance_pence < v_wallet.wallet_low_balance_pence
        );
    end if;

    select * into v_reservation
    from wallet.credit_reservations
    where org_id = p_call.org_id and call_id = p_call.call_id and status = 'committed';

    return v_answer || jsonb_build_object(
        'org_id', p_call.org_id,
        'call_id', p_call.call_id,
        'vapi_call_id', p_call.vapi_call_id,
        'duration_seconds', p_call.duration_seconds,
        'actual_cost_pence', p_call.cost_pence,
        'charged_pence', p_call.charged_pence,
        'owed_pence', p_call.owed_pence,
        'cost_breakdown', p_call.cost_breakdown,
        'reservation_id', v_reservation.id,
        'reserved_pence', coalesce(v_reservation.reserved_pence, 0),
        'released_pence', greatest(0, coalesce(v_reservation.reserved_pence, 0) - p_call.cost_pence)
    );
end;
$$;

revoke all on function wallet.answer_call(wallet.calls, boolean) from public;

comment on function wallet.answer_call(wallet.calls, boolean) is
'Internal: the answer about a billed call: its first ledger entry as answer_entry tells it, what it cost, what was charged and is still owed, and what its reservation held and gave back.';
