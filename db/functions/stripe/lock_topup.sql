-- Two events of one payment meet here one by one.
create or replace function wallet.lock_topup(p_payment wallet.stripe_payment)
returns wallet.topups
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_currency text;
begin
    perform wallet.lock_payment_intent(p_payment.payment_intent_id);

    select currency into v_currency
    from wallet.organizations
    where id = p_payment.org_id
    for no key update;

    if not found then
        perform wallet.fail_event(
            'organization_not_found', format('There is no wallet for organization %s.', p_payment.org_id)
        );
    elsif v_currency <> p_payment.currency then
        perform wallet.fail_event(
            'currency_mismatch',
            format('The payment is in %s, the wallet in %s.', p_payment.currency, v_currency)
        );
    end if;

    return wallet.find_topup(p_payment);
end;
$$;

revoke all on function wallet.lock_topup(wallet.stripe_payment) from public;

comment on function wallet.lock_topup(wallet.stripe_payment) is
'Internal: locks the payment intent, then the organization''s row, and answers the top-up that a payment belongs to, null when there is none yet. Raises WL011: organization_not_found, currency_mismatch.';
