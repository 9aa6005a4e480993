-- One reservation for a call, for ever: whoever asks again is told of the first.
create or replace function wallet.reserve_call_credits(
    p_org_id uuid,
    p_call_id text,
    p_vapi_call_id text default null,
    p_estimated_minutes integer default 5,
    p_allow_partial boolean default false
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet wallet.organizations;
    v_reservation wallet.credit_reservations;
    v_price jsonb;
    v_requested bigint;
    v_held jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_call_id', p_call_id);
    if p_vapi_call_id is not null then
        perform wallet.require_text('p_vapi_call_id', p_vapi_call_id);
    end if;
    perform wallet.require_minutes('p_estimated_minutes', p_estimated_minutes);
    perform wallet.require_value('p_allow_partial', p_allow_partial);

    v_wallet := wallet.lock_wallet(p_org_id);
    if v_wallet.id is null then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_reservation
    from wallet.credit_reservations
    where org_id = p_org_id and call_id = p_call_id;
    if found then
        return wallet.answer_repeated_reservation(v_reservation, p_estimated_minutes);
    elsif wallet.is_call_billed(p_org_id, p_call_id, p_vapi_call_id) then
        return wallet.refuse(
            'call_already_billed',
            format('Call %s is billed: there is nothing to reserve for it.', p_call_id),
            jsonb_build_object('call_id', p_call_id)
        );
    elsif v_wallet.frozen and wallet.find_freeze(p_org_id, 'spending') is not null then
        return wallet.refuse_frozen(p_org_id, 'spending');
    end if;

    v_price := wallet.price_usage(p_org_id, 'call', p_estimated_minutes * 60, now());
    if not (v_price ->> 'success')::boolean then
        return v_price;
    end if;
    v_requested := v_price ->> 'amount_pence';

    v_held := wallet.hold_available(v_wallet, v_requested, p_allow_partial);
    if not (v_held ->> 'success')::boolean then
        return v_held;
    end if;

    insert into wallet.credit_reservations (
        org_id, call_id, vapi_call_id, requested_minutes, estimated_minutes, requested_pence, reserved_pence, expires_at
    )
    values (
        p_org_id,
        p_call_id,
        p_vapi_call_id,
        p_estimated_minutes,
        p_estimated_minutes,
        v_requested,
        (v_held ->> 'held_pence')::bigint,
        wallet.reservation_end(now(), p_estimated_minutes)
    )
    returning * into v_reservation;

    return wallet.answer_reservation(v_reservation, p_duplicate => false);
end;
$$;

revoke all on function wallet.reserve_call_credits(uuid, text, text, integer, boolean) from public;
grant execute on function wallet.reserve_call_credits(uuid, text, text, integer, boolean) to service_role;

comment on function wallet.reserve_call_credits(uuid, text, text, integer, boolean) is
'Holds what a call of 1 to 1440 minutes costs, once per call id, out of the balance alone: neither the debt limit nor what others have reserved. With p_allow_partial it holds what is there, if anything is. Locks the organization''s row. Refuses organization_not_found, idempotency_conflict, reservation_closed, call_already_billed, wallet_frozen, insufficient_balance, price_not_found, exchange_rate_not_found; raises WL001, WL002, WL005.';
