create or replace function wallet.on_charge_refunded(p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant text := wallet.require_stripe_text(p_object, 'id');
    v_intent constant text := wallet.read_stripe_text(p_object, 'payment_intent');
    v_charged constant bigint := wallet.read_stripe_amount(p_object, 'amount');
    v_refunded constant bigint := wallet.read_stripe_amount(p_object, 'amount_refunded');
    v_currency constant text := wallet.require_stripe_text(p_object, 'currency');
    v_topup wallet.topups;
begin
    if v_intent is null then
        return wallet.ignore_event('A charge without a payment intent is of no wallet payment.');
    end if;

    v_topup := wallet.lock_paid_topup(v_intent);
    if v_topup.id is null then
        return wallet.park_event();
    end if;
    perform wallet.require_topup_currency(v_topup, v_currency);

    update wallet.topups
    set
        refunded_pence = greatest(refunded_pence, v_refunded),
        charged_pence = coalesce(charged_pence, nullif(v_charged, 0))
    where org_id = v_topup.org_id and id = v_topup.id
    returning * into v_topup;

    return wallet.reverse_topup(v_topup, format('Refunds of charge %s', v_id));
end;
$$;

revoke all on function wallet.on_charge_refunded(jsonb) from public;

comment on function wallet.on_charge_refunded(jsonb) is
'Handler: a charge tells the sum of its refunds; the same share of the credits is taken back.';
