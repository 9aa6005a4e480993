create or replace function wallet.on_charge_dispute(
    p_object jsonb,
    p_withdrawn boolean default false,
    p_reinstated boolean default false
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant text := wallet.require_stripe_text(p_object, 'id');
    v_status constant text := wallet.require_stripe_text(p_object, 'status');
    v_reason constant text := wallet.read_stripe_text(p_object, 'reason');
    v_amount constant bigint := wallet.read_stripe_amount(p_object, 'amount');
    v_currency constant text := wallet.require_stripe_text(p_object, 'currency');
    v_intent constant text := wallet.read_stripe_text(p_object, 'payment_intent');
    v_topup wallet.topups;
begin
    if v_intent is null then
        return wallet.ignore_event('A dispute without a payment intent is about no wallet payment.');
    end if;

    v_topup := wallet.lock_paid_topup(v_intent);
    if v_topup.id is null then
        return wallet.park_event();
    end if;
    perform wallet.require_topup_currency(v_topup, v_currency);

    insert into wallet.stripe_disputes as d (
        org_id, id, stripe_payment_intent_id, amount_pence, status, reason, funds_withdrawn, funds_reinstated
    )
    values (v_topup.org_id, v_id, v_intent, v_amount, v_status, v_reason, p_withdrawn, p_reinstated)
    on conflict (org_id, id) do update
    set
        amount_pence = case when d.funds_withdrawn then d.amount_pence else excluded.amount_pence end,
        status = case
            when d.status in ('won', 'lost', 'warning_closed') then d.status
            else excluded.status
        end,
        funds_withdrawn = d.funds_withdrawn or excluded.funds_withdrawn,
        funds_reinstated = d.funds_reinstated or excluded.funds_reinstated,
        updated_at = clock_timestamp();

    perform wallet.open_freeze(
        v_topup.org_id, 'dispute', format('Dispute %s (%s)', v_id, coalesce(v_reason, 'no reason given')), 'stripe', v_id
    );

    return wallet.reverse_topup(v_topup, format('Dispute %s', v_id));
end;
$$;

revoke all on function wallet.on_charge_dispute(jsonb, boolean, boolean) from public;

comment on function wallet.on_charge_dispute(jsonb, boolean, boolean) is
'Handler of charge.dispute.created, .funds_withdrawn, .funds_reinstated and .closed: each freezes the wallet, once a dispute; only withdrawn and reinstated funds move credits.';
