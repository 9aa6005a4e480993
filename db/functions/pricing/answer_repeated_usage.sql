create or replace function wallet.answer_repeated_usage(
    p_entry wallet.credit_transactions,
    p_service wallet.services,
    p_quantity bigint
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_charged constant jsonb := p_entry.cost_breakdown;
    v_price jsonb;
begin
    -- Its breakdown must be that of its own amount: other entries keep what their callers gave them.
    if p_entry.direction = 'debit' and v_charged @> jsonb_build_object(
        'service', p_service.service, 'quantity', p_quantity, 'amount_pence', p_entry.amount_pence
    ) then
        return wallet.answer_replay(p_entry, p_entry.type, p_entry.direction, p_entry.amount_pence)
            || jsonb_build_object('cost_breakdown', v_charged);
    end if;

    v_price := wallet.price_usage(p_entry.org_id, p_service.service, p_quantity, now());

    return wallet.refuse(
        'idempotency_conflict',
        format('Key %s already stands for another entry of this wallet.', p_entry.idempotency_key),
        jsonb_build_object(
            'idempotency_key', p_entry.idempotency_key,
            'transaction_id', p_entry.id,
            'original_type', p_entry.type,
            'original_direction', p_entry.direction,
            'original_amount_pence', p_entry.amount_pence,
            'original_service', v_charged -> 'service',
            'original_quantity', v_charged -> 'quantity',
            'attempted_type', p_service.entry_type,
            'attempted_direction', 'debit',
            'attempted_amount_pence', v_price -> 'amount_pence',
            'attempted_service', p_service.service,
            'attempted_quantity', p_quantity
        )
    );
end;
$$;

revoke all on function wallet.answer_repeated_usage(wallet.credit_transactions, wallet.services, bigint) from public;

comment on function wallet.answer_repeated_usage(wallet.credit_transactions, wallet.services, bigint) is
'Internal: charge_usage''s answer to a key that was used before: its entry when service and quantity agree, whatever they cost now; else the refusal idempotency_conflict with both.';
