create or replace function wallet.lock_paid_topup(p_payment_intent_id text)
returns wallet.topups
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_id uuid;
    v_topup wallet.topups;
begin
    perform wallet.lock_payment_intent(p_payment_intent_id);

    select org_id into v_org_id
    from wallet.topups
    where stripe_payment_intent_id = p_payment_intent_id and status = 'paid'
    order by created_at
    limit 1;

    if found then
        perform from wallet.organizations where id = v_org_id for no key update;

        select * into strict v_topup
        from wallet.topups
        where org_id = v_org_id and stripe_payment_intent_id = p_payment_intent_id;
    end if;

    return v_topup;
end;
$$;

revoke all on function wallet.lock_paid_topup(text) from public;

comment on function wallet.lock_paid_topup(text) is
'Internal: the credited top-up of a payment intent, whichever organization''s, null when there is none. Locks the payment intent, then the organization''s row.';
