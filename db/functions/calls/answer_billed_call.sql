-- A call may be billed without an entry under its key: by the provider's id, for nothing, or on credit.
create or replace function wallet.answer_billed_call(p_org_id uuid, p_call_id text, p_amount_pence bigint)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_call wallet.calls;
begin
    select * into strict v_call
    from wallet.calls
    where org_id = p_org_id and call_id = p_call_id;

    if v_call.cost_pence = p_amount_pence then
        return wallet.answer_call(v_call, p_duplicate => true) || jsonb_build_object(
            'client_charged_pence', v_call.cost_pence,
            'provider_cost_pence', v_call.provider_cost_pence,
            'gross_profit_pence', v_call.cost_pence - v_call.provider_cost_pence
        );
    end if;

    return wallet.refuse(
        'idempotency_conflict',
        format('Call %s is billed already.', p_call_id),
        jsonb_build_object(
            'idempotency_key', 'call:' || p_call_id,
            'transaction_id', v_call.transaction_id,
            'original_type', 'call_deduction',
            'original_direction', 'debit',
            'original_amount_pence', v_call.cost_pence,
            'attempted_type', 'call_deduction',
            'attempted_direction', 'debit',
            'attempted_amount_pence', p_amount_pence
        )
    );
end;
$$;

revoke all on function wallet.answer_billed_call(uuid, text, bigint) from public;

comment on function wallet.answer_billed_call(uuid, text, bigint) is
'Internal: the answer to a charge for a call that is in calls: what was billed where the amount is the same, else idempotency_conflict.';
