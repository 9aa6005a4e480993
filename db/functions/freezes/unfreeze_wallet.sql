create or replace function wallet.unfreeze_wallet(p_org_id uuid, p_reason text, p_actor text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_lifted integer;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_reason', p_reason);
    perform wallet.require_text('p_actor', p_actor);

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    update wallet.wallet_freezes
    set lifted_at = clock_timestamp(), lifted_by = p_actor, lifted_because = p_reason
    where org_id = p_org_id and lifted_at is null;
    get diagnostics v_lifted = row_count;

    update wallet.organizations set frozen = false, updated_at = clock_timestamp() where id = p_org_id and frozen;

    return jsonb_build_object('success', true, 'duplicate', v_lifted = 0, 'lifted', v_lifted);
end;
$$;

revoke all on function wallet.unfreeze_wallet(uuid, text, text) from public;
grant execute on function wallet.unfreeze_wallet(uuid, text, text) to service_role;

comment on function wallet.unfreeze_wallet(uuid, text, text) is
'Lifts every open freeze of a wallet, and keeps who did it and why. Later disputes freeze it anew, those known already don''t. Locks the organization''s row. Refuses organization_not_found; raises WL001, WL005.';
