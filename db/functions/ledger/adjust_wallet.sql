create or replace function wallet.adjust_wallet(
    p_org_id uuid,
    p_amount_pence bigint,
    p_direction text,
    p_reason text,
    p_actor text,
    p_idempotency_key text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_amount('p_amount_pence', p_amount_pence);
    perform wallet.check_entry_type('adjustment', p_direction);
    perform wallet.require_text('p_reason', p_reason);
    perform wallet.require_text('p_actor', p_actor);
    perform wallet.require_text('p_idempotency_key', p_idempotency_key);

    return wallet.post_transaction(
        p_org_id => p_org_id,
        p_type => 'adjustment',
        p_direction => p_direction,
        p_amount_pence => p_amount_pence,
        p_idempotency_key => p_idempotency_key,
        p_overdraft => 'debt_limit',
        p_created_by => p_actor,
        p_description => p_reason
    );
end;
$$;

revoke all on function wallet.adjust_wallet(uuid, bigint, text, text, text, text) from public;
grant execute on function wallet.adjust_wallet(uuid, bigint, text, text, text, text) to service_role;

comment on function wallet.adjust_wallet(uuid, bigint, text, text, text, text) is
'Corrects a wallet by hand, credit or debit, once per key, with a reason and the person who answers for it. Minor units, above 0; a debit may use the debt limit. Locks the organization''s row. Refuses organization_not_found, idempotency_conflict, debt_limit_exceeded; raises WL001, WL002, WL005, WL006, WL009.';
