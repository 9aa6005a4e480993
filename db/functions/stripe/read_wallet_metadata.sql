-- What both objects of a payment carry: ours is what metadata.type says is ours, and its organization
-- is client_reference_id or metadata.org_id.
create or replace function wallet.read_wallet_metadata(p_object jsonb)
returns wallet.stripe_payment
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_payment wallet.stripe_payment;
    v_reference uuid;
begin
    v_payment.kind := wallet.stripe_payment_kind(p_object);
    if v_payment.kind is null then
        return null;
    end if;

    v_reference := wallet.parse_uuid(wallet.read_stripe_text(p_object, 'client_reference_id'));
    v_payment.org_id := wallet.parse_uuid(wallet.read_stripe_text(p_object, 'metadata.org_id'));
    if v_reference <> v_payment.org_id then
        perform wallet.fail_event(
            'organization_mismatch',
            format('client_reference_id names organization %s, metadata.org_id %s.', v_reference, v_payment.org_id)
        );
    end if;
    v_payment.org_id := coalesce(v_reference, v_payment.org_id);
    if v_payment.org_id is null then
        perform wallet.fail_event(
            'organization_missing', 'Neither client_reference_id nor metadata.org_id is the id of an organization.'
        );
    end if;

    v_payment.topup_id := wallet.parse_uuid(wallet.read_stripe_text(p_object, 'metadata.topup_id'));
    v_payment.customer_id := wallet.read_stripe_text(p_object, 'customer');
    v_payment.currency := lower(wallet.read_stripe_text(p_object, 'currency'));
    return v_payment;
end;
$$;

revoke all on function wallet.read_wallet_metadata(jsonb) from public;

comment on function wallet.read_wallet_metadata(jsonb) is
'Kind, organization, top-up, customer and currency of a Stripe checkout session or payment intent; null when it is no wallet payment. Raises WL010, WL011.';
