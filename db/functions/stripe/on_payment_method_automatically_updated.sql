create or replace function wallet.on_payment_method_automatically_updated(p_object jsonb)
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
        perform wallet.keep_payment_method(v_org_id, v_id, p_object -> 'card');

        -- Its bank has issued it anew: what was declined may go through now.
        update wallet.recharge_settings
        set blocked_payment_method_id = null, blocked_because = null, declines = 0, updated_at = clock_timestamp()
        where org_id = v_org_id and blocked_payment_method_id = v_id;
    end loop;

    if v_org_id is null then
        return wallet.ignore_event('No wallet has this card.');
    end if;
    return jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', v_org_id);
end;
$$;

revoke all on function wallet.on_payment_method_automatically_updated(jsonb) from public;

comment on function wallet.on_payment_method_automatically_updated(jsonb) is
'Handler: the bank replaced a saved card, which keeps its id. What is shown of it changes, and it is tried again.';
