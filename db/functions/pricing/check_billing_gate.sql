-- Says what the spend would be answered now, and promises nothing: what is to be sure of its money
-- reserves it, or charges first. It takes no lock, so that it may be asked before anything.
create or replace function wallet.check_billing_gate(p_org_id uuid, p_service text, p_quantity bigint default 1)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_price jsonb;
    v_service wallet.services;
    v_wallet wallet.organizations;
    v_limit wallet.gate_limits;
    v_required bigint;
    v_minimum bigint;
    v_available numeric;
    v_reason text;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_service', p_service);
    perform wallet.require_quantity('p_quantity', p_quantity, 1);

    v_price := wallet.price_usage(p_org_id, p_service, p_quantity, now());
    if not (v_price ->> 'success')::boolean then
        return v_price;
    end if;
    select * into strict v_service from wallet.services where service = p_service;
    select * into strict v_wallet from wallet.organizations where id = p_org_id;

    v_required := v_price ->> 'amount_pence';
    v_limit := wallet.find_gate_limit(p_org_id, p_service, now());
    if v_limit.minimum_pence > 0 then
        v_minimum := wallet.convert_amount(v_limit.minimum_pence, v_limit.currency, v_wallet.currency, 'up', p_org_id);
        if v_minimum is null then
            return wallet.refuse_missing_rate(v_limit.currency, v_wallet.currency);
        end if;
        v_required := greatest(v_required, v_minimum);
    end if;

    v_available := v_wallet.wallet_balance_pence::numeric - v_wallet.reserved_pence - v_wallet.owed_pence;
    if v_wallet.reserved_pence > 0 then
        v_available := v_available + wallet.lapsed_pence(p_org_id);
    end if;
    if v_service.uses_debt_limit then
        v_available := v_available + v_wallet.debt_limit_pence;
    end if;

    v_reason := case
        -- What costs nothing writes nothing, except a reservation.
        when v_required = 0 and v_service.charged_by <> 'bill_call' then null
        when v_wallet.frozen and wallet.find_freeze(p_org_id, 'spending') is not null then 'wallet_frozen'
        when v_required <= v_available then null
        when v_service.uses_debt_limit then 'debt_limit_exceeded'
        else 'insufficient_balance'
    end;

    return jsonb_build_object(
        'success', true,
        'allowed', v_reason is null,
        'reason', v_reason,
        'service', p_service,
        'quantity', p_quantity,
        'required_pence', v_required,
        'available_pence', v_available,
        'currency', v_wallet.currency
    );
end;
$$;

revoke all on function wallet.check_billing_gate(uuid, text, bigint) from public;
grant execute on function wallet.check_billing_gate(uuid, text, bigint) to service_role;

comment on function wallet.check_billing_gate(uuid, text, bigint) is
'Whether a wallet could pay for a quantity of a service, 1 or more in what it is measured in (a call: seconds), now: required_pence is its price or the gate''s minimum, available_pence the balance without what is reserved and owed, with the debt limit where the service may use it. reason: insufficient_balance, debt_limit_exceeded, wallet_frozen or null. Writes nothing, takes no lock. Refuses organization_not_found, price_not_found, exchange_rate_not_found; raises WL001, WL002, WL006, WL009.';
