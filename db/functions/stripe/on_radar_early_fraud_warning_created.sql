create or replace function wallet.on_radar_early_fraud_warning_created(p_object jsonb)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant text := wallet.require_stripe_text(p_object, 'id');
    v_type constant text := wallet.read_stripe_text(p_object, 'fraud_type');
    v_intent constant text := wallet.read_stripe_text(p_object, 'payment_intent');
    v_topup wallet.topups;
begin
    if v_intent is null then
        return wallet.ignore_event('A warning without a payment intent is about no wallet payment.');
    end if;

    v_topup := wallet.lock_paid_topup(v_intent);
    if v_topup.id is null then
        return wallet.park_event();
    end if;

    perform wallet.open_freeze(
        v_topup.org_id,
        'early_fraud_warning',
        format('Early fraud warning %s (%s)', v_id, coalesce(v_type, 'no type given')),
        'stripe',
        v_id
    );
    return jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', v_topup.org_id);
end;
$$;

revoke all on function wallet.on_radar_early_fraud_warning_created(jsonb) from public;

comment on function wallet.on_radar_early_fraud_warning_created(jsonb) is
'Handler: the card''s bank suspects fraud; automatic recharges stop. No money moves.';
