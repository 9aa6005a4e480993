-- Locks the organization's row, so that a spend sees either the old limit or the new one.
create or replace function wallet.set_debt_limit(p_org_id uuid, p_debt_limit_pence bigint, p_actor text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_organization wallet.organizations;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_debt_limit_pence', p_debt_limit_pence);
    perform wallet.require_text('p_actor', p_actor);
    if p_debt_limit_pence < 0 then
        perform wallet.raise_misuse('WL002', 'p_debt_limit_pence', 'must be 0 or more', p_debt_limit_pence::text);
    end if;

    select * into v_organization
    from wallet.organizations
    where id = p_org_id
    for no key update;

    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    if v_organization.debt_limit_pence <> p_debt_limit_pence then
        update wallet.organizations
        set debt_limit_pence = p_debt_limit_pence, updated_at = clock_timestamp()
        where id = p_org_id;

        insert into wallet.organization_changes (org_id, setting, old_value, new_value, actor)
        values (p_org_id, 'debt_limit_pence', v_organization.debt_limit_pence, p_debt_limit_pence, p_actor);
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_organization.debt_limit_pence = p_debt_limit_pence,
        'debt_limit_pence', p_debt_limit_pence,
        'remaining_debt_capacity',
        greatest(0, p_debt_limit_pence + least(0, v_organization.wallet_balance_pence))
    );
end;
$$;

revoke all on function wallet.set_debt_limit(uuid, bigint, text) from public;
grant execute on function wallet.set_debt_limit(uuid, bigint, text) to service_role;

comment on function wallet.set_debt_limit(uuid, bigint, text) is
'Sets how far a spend may take the balance below zero, in minor units, 0 or more; below the present debt it blocks further spending. Recorded with its actor. Refuses organization_not_found; raises WL001, WL002, WL005.';
