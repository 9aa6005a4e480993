-- The caller, post_transaction, holds the organization's lock and has found the key.
create or replace function wallet.answer_replay(
    p_org_id uuid,
    p_entry_number bigint,
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
    v_entry wallet.credit_transactions;
begin
    select * into strict v_organization
    from wallet.organizations
    where id = p_org_id;

    select * into strict v_entry
    from wallet.credit_transactions
    where org_id = p_org_id and entry_number = p_entry_number;

    if (v_entry.type, v_entry.direction, v_entry.amount_pence) = (p_type, p_direction, p_amount_pence) then
        return wallet.answer_entry(
            v_entry,
            true,
            v_organization.debt_limit_pence,
            v_organization.wallet_auto_recharge,
            v_organization.wallet_low_balance_pence
        );
    end if;

    return wallet.refuse(
        'idempotency_conflict',
        format('Key %s already stands for another entry of this wallet.', v_entry.idempotency_key),
        jsonb_build_object(
            'idempotency_key', v_entry.idempotency_key,
            'transaction_id', v_entry.id,
            'original_type', v_entry.type,
            'original_direction', v_entry.direction,
            'original_amount_pence', v_entry.amount_pence,
            'attempted_type', p_type,
            'attempted_direction', p_direction,
            'attempted_amount_pence', p_amount_pence
        )
    );
end;
$$;

revoke all on function wallet.answer_replay(uuid, bigint, text, text, bigint) from public;

comment on function wallet.answer_replay(uuid, bigint, text, text, bigint) is
'Internal: the answer to a key that was used before: the original entry when type, direction and amount agree, the refusal idempotency_conflict when they do not.';
