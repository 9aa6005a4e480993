create or replace function wallet.on_refund(p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant text := wallet.require_stripe_text(p_object, 'id');
    v_status constant text := coalesce(wallet.read_stripe_text(p_object, 'status'), 'pending');
    v_amount constant bigint := wallet.read_stripe_amount(p_object, 'amount');
    v_currency constant text := wallet.require_stripe_text(p_object, 'currency');
    v_intent constant text := wallet.read_stripe_text(p_object, 'payment_intent');
    v_topup wallet.topups;
begin
    if v_intent is null then
        return wallet.ignore_event('A refund without a payment intent is of no wallet payment.');
    end if;

    v_topup := wallet.lock_paid_topup(v_intent);
    if v_topup.id is null then
        return wallet.park_event();
    end if;
    perform wallet.require_topup_currency(v_topup, v_currency);

    insert into wallet.stripe_refunds as r (org_id, id, stripe_payment_intent_id, amount_pence, status)
    values (v_topup.org_id, v_id, v_intent, v_amount, v_status)
    on conflict (org_id, id) do update
    set status = excluded.status, updated_at = clock_timestamp()
    where r.status not in ('failed', 'canceled');

    return wallet.reverse_topup(v_topup, format('Refund %s', v_id));
end;
$$;

revoke all on function wallet.on_refund(jsonb) from public;

comment on function wallet.on_refund(jsonb) is
'Handler of refund.created, .updated and .failed: the refunded share of the credits is taken back; what failed or was canceled, which is final, gives it back.';
