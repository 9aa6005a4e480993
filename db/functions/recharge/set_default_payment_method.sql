create or replace function wallet.set_default_payment_method(
    p_org_id uuid,
    p_payment_method_id text,
    p_actor text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_old text;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_payment_method_id', p_payment_method_id);
    perform wallet.require_text('p_actor', p_actor);

    select stripe_default_pm_id into v_old
    from wallet.organizations
    where id = p_org_id
    for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    elsif not exists (
        select from wallet.payment_methods
        where org_id = p_org_id and id = p_payment_method_id and detached_at is null
    ) then
        return wallet.refuse(
            'payment_method_not_found',
            format('The wallet has no saved card %s.', p_payment_method_id),
            jsonb_build_object('org_id', p_org_id, 'payment_method_id', p_payment_method_id)
        );
    end if;

    if v_old is distinct from p_payment_method_id then
        update wallet.organizations
        set stripe_default_pm_id = p_payment_method_id, updated_at = clock_timestamp()
        where id = p_org_id;

        insert into wallet.organization_changes (org_id, setting, old_value, new_value, actor)
        values (p_org_id, 'stripe_default_pm_id', v_old, p_payment_method_id, p_actor);

        perform wallet.use_payment_method(p_org_id, p_payment_method_id);
        perform wallet.request_recharge(p_org_id);
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_old is not distinct from p_payment_method_id,
        'org_id', p_org_id,
        'payment_method_id', p_payment_method_id
    );
end;
$$;

revoke all on function wallet.set_default_payment_method(uuid, text, text) from public;
grant execute on function wallet.set_default_payment_method(uuid, text, text) to service_role;

comment on function wallet.set_default_payment_method(uuid, text, text) is
'Makes a saved card the one that automatic recharges charge; another than the blocked one ends its block. Recorded with its actor. Locks the organization''s row. Refuses organization_not_found, payment_method_not_found; raises WL001, WL005.';
