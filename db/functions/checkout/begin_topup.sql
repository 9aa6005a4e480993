-- The row comes first and Stripe second: whatever breaks between, the same wish finds the same row,
-- and its id, the idempotency key, the same session.
create or replace function wallet.begin_topup(
    p_org_id uuid,
    p_amount_pence bigint default null,
    p_plan text default null,
    p_request_key text default null,
    p_return_url text default null,
    p_user_id text default null,
    p_user_email text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_organization wallet.organizations;
    v_offer jsonb;
    v_topup wallet.topups;
begin
    perform wallet.check_topup_wish(
        p_org_id, p_amount_pence, p_plan, p_request_key, p_return_url, p_user_id, p_user_email
    );

    select * into v_organization
    from wallet.organizations
    where id = p_org_id
    for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    if wallet.find_freeze(p_org_id, 'checkouts') is not null then
        return wallet.refuse_frozen(p_org_id, 'checkouts');
    end if;

    v_topup := wallet.find_open_topup(p_org_id, p_amount_pence, p_plan, p_request_key, p_return_url);
    if v_topup.id is not null then
        return wallet.answer_topup(v_topup, p_amount_pence, p_plan, p_duplicate => true);
    end if;

    v_offer := wallet.offer_topup(v_organization.currency, p_amount_pence, p_plan);
    if v_offer ? 'error' then
        return v_offer;
    elsif v_organization.stripe_customer_id is null then
        return wallet.answer_customer_request(v_organization);
    end if;

    insert into wallet.topups (
        org_id, kind, currency, amount_pence, price_pence, bonus_pence, plan, request_key, stripe_request
    )
    values (
        p_org_id,
        'wallet_topup',
        v_organization.currency,
        (v_offer ->> 'credit_pence')::bigint,
        (v_offer ->> 'price_pence')::bigint,
        (v_offer ->> 'bonus_pence')::bigint,
        p_plan,
        p_request_key,
        '{}'
    )
    returning * into v_topup;

    update wallet.topups
    set stripe_request = wallet.checkout_request(
        v_topup, v_offer ->> 'name', v_organization.stripe_customer_id, p_return_url, p_user_id, p_user_email
    )
    where org_id = p_org_id and id = v_topup.id
    returning * into v_topup;

    return wallet.answer_topup(v_topup, p_amount_pence, p_plan, p_duplicate => false);
end;
$$;

revoke all on function wallet.begin_topup(uuid, bigint, text, text, text, text, text) from public;
grant execute on function wallet.begin_topup(uuid, bigint, text, text, text, text, text)
to wallet_webhook, service_role;

comment on function wallet.begin_topup(uuid, bigint, text, text, text, text, text) is
'Starts a top-up of an amount (minor units) or by a plan, or finds the one that this request key, or the same wish with the same return address, has open. next says what to do: create_customer, create_session (post request.params to Stripe under request.idempotency_key, and report with attach_stripe_customer or attach_checkout_session) or redirect (to checkout_url). The customer comes back to p_return_url. Locks the organization''s row. Refuses organization_not_found, wallet_frozen, amount_out_of_range, currency_not_offered, plan_not_found, idempotency_conflict, topup_closed; raises WL001, WL002, WL005, WL006.';
