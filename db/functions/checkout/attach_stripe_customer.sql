create or replace function wallet.attach_stripe_customer(p_org_id uuid, p_stripe_customer_id text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_customer text;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    if wallet.require_text('p_stripe_customer_id', p_stripe_customer_id) !~ '^cus_' then
        perform wallet.raise_misuse('WL006', 'p_stripe_customer_id', 'must be a customer, cus_…', p_stripe_customer_id);
    end if;

    update wallet.organizations
    set stripe_customer_id = coalesce(stripe_customer_id, p_stripe_customer_id)
    where id = p_org_id
    returning stripe_customer_id into v_customer;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_customer <> p_stripe_customer_id,
        'org_id', p_org_id,
        'stripe_customer_id', v_customer
    );
end;
$$;

revoke all on function wallet.attach_stripe_customer(uuid, text) from public;
grant execute on function wallet.attach_stripe_customer(uuid, text) to wallet_webhook, service_role;

comment on function wallet.attach_stripe_customer(uuid, text) is
'Keeps the Stripe customer of an organization; the first one stays, and is answered. Locks the organization''s row. Refuses organization_not_found; raises WL001, WL005, WL006.';
