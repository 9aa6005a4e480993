create or replace function wallet.set_gate_limit(
    p_service text,
    p_minimum_pence bigint,
    p_currency text,
    p_actor text,
    p_effective_from timestamptz default null,
    p_org_id uuid default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from constant timestamptz := wallet.read_effective_from(p_effective_from);
    v_limit wallet.gate_limits;
    v_duplicate boolean;
begin
    perform wallet.require_text('p_service', p_service);
    perform wallet.require_currency('p_currency', p_currency);
    perform wallet.require_text('p_actor', p_actor);
    if p_minimum_pence is not null or p_org_id is null then
        perform wallet.require_quantity('p_minimum_pence', p_minimum_pence, 0);
    end if;

    perform pg_advisory_xact_lock(hashtext('wallet price book'), 0);
    if not exists (select from wallet.services where service = p_service) then
        perform wallet.raise_misuse('WL006', 'p_service', 'must be one of the services', p_service);
    elsif p_org_id is not null and not exists (select from wallet.organizations where id = p_org_id) then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_limit
    from wallet.gate_limits
    where service = p_service and org_id is not distinct from p_org_id and effective_from <= v_from
    order by effective_from desc, id desc
    limit 1;

    v_duplicate := case
        when p_minimum_pence is null or v_limit.minimum_pence is null then
            v_limit.minimum_pence is not distinct from p_minimum_pence
        else (v_limit.minimum_pence, v_limit.currency) = (p_minimum_pence, p_currency)
    end;
    if not v_duplicate then
        if v_from < now() then
            perform wallet.raise_misuse(
                'WL006', 'p_effective_from', 'must not lie in the past', p_effective_from::text
            );
        end if;

        insert into wallet.gate_limits (org_id, service, minimum_pence, currency, effective_from, created_by)
        values (p_org_id, p_service, p_minimum_pence, p_currency, v_from, p_actor)
        returning * into v_limit;
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_duplicate,
        'gate_limit_id', v_limit.id,
        'org_id', p_org_id,
        'service', p_service,
        'minimum_pence', p_minimum_pence,
        'currency', p_currency,
        'effective_from', coalesce(v_limit.effective_from, v_from)
    );
end;
$$;

revoke all on function wallet.set_gate_limit(text, bigint, text, text, timestamptz, uuid) from public;
grant execute on function wallet.set_gate_limit(text, bigint, text, text, timestamptz, uuid) to service_role;

comment on function wallet.set_gate_limit(text, bigint, text, text, timestamptz, uuid) is
'Sets what a wallet must be able to spend before a service may begin, however small the quantity: minor units of a currency, 0 or more, for all or for one organization, from p_effective_from on (null: now). Null with an organization: from then on the general minimum applies to it again. What is in effect then already is not written again: duplicate true. Takes the price book''s lock. Refuses organization_not_found; raises WL001, WL002, WL005, WL006.';
