-- The hot path: one call, one lock, one entry, no subtransaction.
create or replace function wallet.deduct_call_credits(
    p_org_id uuid,
    p_call_id text,
    p_vapi_call_id text,
    p_provider_cost_pence bigint,
    p_markup_percent integer,
    p_client_charged_pence bigint,
    p_cost_breakdown jsonb default null,
    p_description text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One test for the usual case; what follows it says what is wrong.
    if (
        p_org_id is not null and btrim(p_call_id, E' \t\n\r') <> '' and length(p_call_id) <= 255
        and p_client_charged_pence > 0 and p_provider_cost_pence >= 0
    ) is not true then
        perform wallet.require_value('p_org_id', p_org_id);
        perform wallet.require_text('p_call_id', p_call_id);
        perform wallet.require_amount('p_client_charged_pence', p_client_charged_pence);
        perform wallet.require_value('p_provider_cost_pence', p_provider_cost_pence);
        perform wallet.raise_misuse('WL002', 'p_provider_cost_pence', 'must be 0 or more', p_provider_cost_pence::text);
    end if;

    return wallet.post_transaction(
        p_org_id => p_org_id,
        p_type => 'call_deduction',
        p_direction => 'debit',
        p_amount_pence => p_client_charged_pence,
        p_idempotency_key => 'call:' || p_call_id,
        p_overdraft => 'debt_limit',
        p_created_by => 'system',
        p_description => p_description,
        p_call_id => p_call_id,
        p_vapi_call_id => p_vapi_call_id,
        p_provider_cost_pence => p_provider_cost_pence,
        p_markup_percent => p_markup_percent,
        p_cost_breakdown => p_cost_breakdown
    );
end;
$$;

revoke all on function wallet.deduct_call_credits(uuid, text, text, bigint, integer, bigint, jsonb, text) from public;
grant execute on function wallet.deduct_call_credits(uuid, text, text, bigint, integer, bigint, jsonb, text)
to service_role;

comment on function wallet.deduct_call_credits(uuid, text, text, bigint, integer, bigint, jsonb, text) is
'Charges a call once per call id, down to minus the debt limit. Minor units: charge above 0, provider cost 0 or more; mark-up in whole percent. Locks the organization''s row. Refuses organization_not_found, idempotency_conflict, wallet_frozen, debt_limit_exceeded; raises WL001, WL002, WL005.';
