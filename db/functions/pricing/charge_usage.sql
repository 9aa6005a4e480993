-- The key is looked for before anything is priced: a retry is answered with the amount of its time,
-- whatever the price book says by then.
create or replace function wallet.charge_usage(
    p_org_id uuid,
    p_service text,
    p_quantity bigint,
    p_idempotency_key text,
    p_description text default null,
    p_provider_cost_pence bigint default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_service wallet.services;
    v_entry wallet.credit_transactions;
    v_price jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_service', p_service);
    perform wallet.require_quantity('p_quantity', p_quantity, 0);
    perform wallet.require_text('p_idempotency_key', p_idempotency_key);
    if p_provider_cost_pence is not null then
        perform wallet.require_quantity('p_provider_cost_pence', p_provider_cost_pence, 0);
    end if;
    select * into v_service
    from wallet.services
    where service = p_service and charged_by = 'charge_usage';
    if not found then
        perform wallet.raise_misuse(
            'WL006', 'p_service', 'must be one of the services that charge_usage charges', p_service
        );
    end if;

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_entry
    from wallet.credit_transactions
    where org_id = p_org_id and idempotency_key = p_idempotency_key;
    if found then
        return wallet.answer_repeated_usage(v_entry, v_service, p_quantity);
    end if;

    v_price := wallet.price_usage(p_org_id, p_service, p_quantity, now());
    if not (v_price ->> 'success')::boolean then
        return v_price;
    end if;

    return jsonb_build_object('cost_breakdown', v_price -> 'breakdown')
        || case v_price ->> 'amount_pence'
            when '0' then jsonb_build_object(
                'success', true, 'duplicate', false, 'amount_pence', 0, 'transaction_id', null
            )
            else wallet.post_transaction(
                p_org_id => p_org_id,
                p_type => v_service.entry_type,
                p_direction => 'debit',
                p_amount_pence => (v_price ->> 'amount_pence')::bigint,
                p_idempotency_key => p_idempotency_key,
                p_overdraft => case when v_service.uses_debt_limit then 'debt_limit' else 'none' end,
                p_created_by => 'system',
                p_description => p_description,
                p_provider_cost_pence => p_provider_cost_pence,
                p_cost_breakdown => v_price -> 'breakdown'
            )
        end;
end;
$$;

revoke all on function wallet.charge_usage(uuid, text, bigint, text, text, bigint) from public;
grant execute on function wallet.charge_usage(uuid, text, bigint, text, text, bigint) to service_role;

comment on function wallet.charge_usage(uuid, text, bigint, text, text, bigint) is
'Prices and charges a quantity of a service, 0 or more in what it is measured in, once per key: knowledge_base_query and what set_service defined. What costs 0 is answered and not written. Locks the organization''s row. Refuses organization_not_found, idempotency_conflict (another service or quantity), price_not_found, exchange_rate_not_found, wallet_frozen, debt_limit_exceeded, or insufficient_balance where the service may not use the debt limit; raises WL001, WL002, WL005, WL006, WL009.';
