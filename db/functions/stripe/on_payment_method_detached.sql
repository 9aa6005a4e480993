create or replace function wallet.on_payment_method_detached(p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant text := wallet.require_stripe_text(p_object, 'id');
    v_org_id uuid;
begin
    for v_org_id in
        select o.id
        from wallet.organizations as o
        inner join wallet.payment_methods as m on m.org_id = o.id
        where m.id = v_id
        order by o.id
        for no key update of o
    loop
        update wallet.payment_methods
        set detached_at = coalesce(detached_at, clock_timestamp())
        where org_id = v_org_id and id = v_id;

        update wallet.organizations
        set stripe_default_pm_id = null, updated_at = clock_timestamp()
        where id = v_org_id and stripe_default_pm_id = v_id;

        if found then
            perform wallet.cancel_requested_recharge(v_org_id, 'The card was removed.');
            perform wallet.announce_recharge_stop(v_org_id, 'its card was removed');
        end if;
    end loop;

    if v_org_id is null then
        return wallet.ignore_event('No wallet has this card.');
    end if;
    return jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', v_org_id);
end;
$$;

revoke all on function wallet.on_payment_method_detached(jsonb) from public;

comment on function wallet.on_payment_method_detached(jsonb) is
'Handler: a saved card can''t be charged any more, and never will be again. Automatic recharges wait for another.';
