create or replace function wallet.refuse_other_duration(p_answer jsonb, p_duration_seconds bigint)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when (p_answer ->> 'duration_seconds')::bigint = p_duration_seconds or not (p_answer ->> 'success')::boolean
            then p_answer
        else wallet.refuse(
            'idempotency_conflict',
            format('Call %s is billed with %s seconds.', p_answer ->> 'call_id', p_answer ->> 'duration_seconds'),
            jsonb_build_object(
                'call_id', p_answer -> 'call_id',
                'transaction_id', p_answer -> 'transaction_id',
                'original_duration_seconds', p_answer -> 'duration_seconds',
                'attempted_duration_seconds', p_duration_seconds,
                'original_amount_pence', p_answer -> 'actual_cost_pence'
            )
        )
    end
$$;

revoke all on function wallet.refuse_other_duration(jsonb, bigint) from public;

comment on function wallet.refuse_other_duration(jsonb, bigint) is
'Internal: the answer of charge_call, or idempotency_conflict where the call was billed with another duration than the caller''s.';
