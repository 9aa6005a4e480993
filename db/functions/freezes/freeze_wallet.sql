create or replace function wallet.freeze_wallet(p_org_id uuid, p_reason text, p_actor text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_freeze_id uuid;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_reason', p_reason);
    perform wallet.require_text('p_actor', p_actor);

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select id into v_freeze_id
    from wallet.wallet_freezes
    where org_id = p_org_id and cause = 'operator' and lifted_at is null;

    return jsonb_build_object(
        'success', true,
        'duplicate', found,
        'freeze_id', coalesce(v_freeze_id, wallet.open_freeze(p_org_id, 'operator', p_reason, p_actor))
    );
end;
$$;

revoke all on function wallet.freeze_wallet(uuid, text, text) from public;
grant execute on function wallet.freeze_wallet(uuid, text, text) to service_role;

comment on function wallet.freeze_wallet(uuid, text, text) is
'Stops automatic recharges, and whatever else freeze_rules says of the cause operator, until unfreeze_wallet; a wallet that an operator has frozen already is left so, with duplicate true. Locks the organization''s row. Refuses organization_not_found; raises WL001, WL005.';
