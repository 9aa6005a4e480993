-- The first customer stays, and so does the first card that has paid, until it is detached or no
-- longer tried. A card of another customer can't be charged for this one.
create or replace function wallet.keep_customer(
    p_org_id uuid,
    p_customer_id text,
    p_payment_method_id text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_customer text;
    v_card text;
begin
    select
        stripe_customer_id,
        stripe_default_pm_id
    into v_customer, v_card
    from wallet.organizations
    where id = p_org_id;

    if v_customer is null and p_customer_id is not null then
        v_customer := p_customer_id;
        update wallet.organizations set stripe_customer_id = p_customer_id where id = p_org_id;
    end if;

    if p_payment_method_id <> v_card or (v_card is null and p_payment_method_id is not null) then
        if p_customer_id = v_customer then
            perform wallet.keep_payment_method(p_org_id, p_payment_method_id);
        end if;
    end if;
end;
$$;

revoke all on function wallet.keep_customer(uuid, text, text) from public;

comment on function wallet.keep_customer(uuid, text, text) is
'Internal: keeps the Stripe customer of a payment, and the card that paid it if it may be charged again, where none is known. The caller holds the organization''s lock.';
