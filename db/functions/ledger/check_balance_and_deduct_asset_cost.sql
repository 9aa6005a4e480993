create or replace function wallet.check_balance_and_deduct_asset_cost(
    p_org_id uuid,
    p_cost_pence bigint,
    p_asset_type text,
    p_description text,
    p_idempotency_key text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_answer jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_amount('p_cost_pence', p_cost_pence);
    perform wallet.check_entry_type(p_asset_type, 'debit');
    if p_asset_type in ('call_deduction', 'adjustment', 'topup_reversal') then
        perform wallet.raise_misuse('WL006', 'p_asset_type', 'must be the type of something bought', p_asset_type);
    end if;
    perform wallet.require_text('p_idempotency_key', p_idempotency_key);

    v_answer := wallet.post_transaction(
        p_org_id => p_org_id,
        p_type => p_asset_type,
        p_direction => 'debit',
        p_amount_pence => p_cost_pence,
        p_idempotency_key => p_idempotency_key,
        p_overdraft => 'none',
        p_created_by => 'system',
        p_description => p_description
    );

    return v_answer
        || case
            when (v_answer ->> 'success')::boolean then jsonb_build_object(
                'balance_before_pence', v_answer -> 'balance_before',
                'balance_after_pence', v_answer -> 'balance_after'
            )
            else '{}'
        end;
end;
$$;

revoke all on function wallet.check_balance_and_deduct_asset_cost(uuid, bigint, text, text, text) from public;
grant execute on function wallet.check_balance_and_deduct_asset_cost(uuid, bigint, text, text, text)
to service_role;

comment on function wallet.check_balance_and_deduct_asset_cost(uuid, bigint, text, text, text) is
'Pays for a phone number, licence or other asset once per key, never below a balance of 0. Minor units, above 0. Locks the organization''s row. Refuses organization_not_found, idempotency_conflict, wallet_frozen, insufficient_balance; raises WL001 to WL006.';
