create or replace function wallet.on_payment_method_attached(p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant text := wallet.require_stripe_text(p_object, 'id');
    v_customer constant text := wallet.read_stripe_text(p_object, 'customer');
    v_org_id uuid;
begin
    for v_org_id in
        select id
        from wallet.organizations
        where stripe_customer_id = v_customer
        order by id
        for no key update
    loop
        perform wallet.keep_payment_method(v_org_id, v_id, p_object -> 'card');
    end loop;

    if v_org_id is null then
        return wallet.ignore_event('No wallet has this customer.');
    end if;
    return jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', v_org_id);
end;
$$;

revoke all on function wallet.on_payment_method_attached(jsonb) from public;

comment on function wallet.on_payment_method_attached(jsonb) is
'Handler: a customer saved a card. It is charged from now on where there is no other, or where the other is not tried any more.';
