create or replace function wallet.answer_topup(
    p_topup wallet.topups,
    p_amount_pence bigint,
    p_plan text,
    p_duplicate boolean
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_topup.plan is distinct from p_plan or (p_plan is null and p_topup.amount_pence <> p_amount_pence) then
        return wallet.refuse(
            'idempotency_conflict',
            format('Request key %s already stands for another top-up of this wallet.', p_topup.request_key),
            jsonb_build_object(
                'request_key', p_topup.request_key,
                'topup_id', p_topup.id,
                'original_amount_pence', p_topup.amount_pence,
                'original_plan', p_topup.plan,
                'attempted_amount_pence', p_amount_pence,
                'attempted_plan', p_plan
            )
        );
    elsif not wallet.is_topup_open(p_topup) then
        return wallet.refuse_closed_topup(p_topup);
    end if;

    return jsonb_build_object('success', true, 'duplicate', p_duplicate) || wallet.describe_topup(p_topup);
end;
$$;

revoke all on function wallet.answer_topup(wallet.topups, bigint, text, boolean) from public;

comment on function wallet.answer_topup(wallet.topups, bigint, text, boolean) is
'Internal: the answer about a top-up that waits to be paid, or the refusal idempotency_conflict or topup_closed.';
