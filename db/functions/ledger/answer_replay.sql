drop function if exists wallet.answer_replay(uuid, bigint, text, text, bigint);

-- The caller holds the organization's lock and has found the key.
create or replace function wallet.answer_replay(
    p_entry wallet.credit_transactions,
    p_type text,
    p_direction text,
    p_amount_pence bigint
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_organization wallet.organizations;
begin
    -- Of a call that was billed by its duration, an entry may be a part.
    if
        p_type = 'call_deduction'
        and p_entry.type = 'call_deduction'
        and wallet.find_billed_call(p_entry.org_id, p_entry.call_id, null) is not null
    then
        return wallet.answer_billed_call(p_entry.org_id, p_entry.call_id, p_amount_pence);
    end if;

    if (p_entry.type, p_entry.direction, p_entry.amount_pence) = (p_type, p_direction, p_amount_pence) then
        select * into strict v_organization
        from wallet.organizations
        where id = p_entry.org_id;

        return wallet.answer_entry(
            p_entry,
            true,
            v_organization.debt_limit_pence,
            v_organization.wallet_auto_recharge,
            v_organization.wallet_low_balance_pence
        );
    end if;

    return wallet.refuse(
        'idempotency_conflict',
        format('Key %s already stands for another entry of this wallet.', p_entry.idempotency_key),
        jsonb_build_object(
            'idempotency_key', p_entry.idempotency_key,
            'transaction_id', p_entry.id,
            'original_type', p_entry.type,
            'original_direction', p_entry.direction,
            'original_amount_pence', p_entry.amount_pence,
            'attempted_type', p_type,
            'attempted_direction', p_direction,
            'attempted_amount_pence', p_amount_pence
        )
    );
end;
$$;

revoke all on function wallet.answer_replay(wallet.credit_transactions, text, text, bigint) from public;

comment on function wallet.answer_replay(wallet.credit_transactions, text, text, bigint) is
'Internal: the answer to a key that was used before: its entry when type, direction and amount agree, the refusal idempotency_conflict when they do not.';
