-- The new estimate is a total, so that to say it twice is to say it once.
create or replace function wallet.extend_reservation(
    p_call_id text,
    p_estimated_minutes integer,
    p_org_id uuid default null,
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
    perform wallet.require_text('p_call_id', p_call_id);
    perform wallet.require_minutes('p_estimated_minutes', p_estimated_minutes);
    perform wallet.require_value('p_allow_partial', p_allow_partial);

    v_wallet := wallet.lock_wallet(wallet.find_reserving_organization(p_call_id, p_org_id));

    select * into v_reservation
    from wallet.credit_reservations
    where org_id = v_wallet.id and call_id = p_call_id;
    if v_reservation.status is distinct from 'open' then
        return wallet.refuse_no_reservation(p_call_id, v_reservation.status);
    elsif p_estimated_minutes <= v_reservation.estimated_minutes then
        return wallet.answer_reservation(v_reservation, p_duplicate => true);
    elsif v_wallet.frozen and wallet.find_freeze(v_wallet.id, 'spending') is not null then
        return wallet.refuse_frozen(v_wallet.id, 'spending');
    end if;

    v_price := wallet.price_usage(v_wallet.id, 'call', p_estimated_minutes * 60, v_reservation.created_at);
    if not (v_price ->> 'success')::boolean then
        return v_price;
    end if;
    v_requested := v_price ->> 'amount_pence';

    v_held := wallet.hold_available(v_wallet, v_requested - v_reservation.reserved_pence, p_allow_partial);
    if not (v_held ->> 'success')::boolean then
        return v_held;
    end if;

    update wallet.credit_reservations
    set
        estimated_minutes = p_estimated_minutes,
        requested_pence = v_requested,
        reserved_pence = reserved_pence + (v_held ->> 'held_pence')::bigint,
        expires_at = wallet.reservation_end(created_at, p_estimated_minutes),
        updated_at = clock_timestamp()
    where org_id = v_wallet.id and id = v_reservation.id
    returning * into v_reservation;

    return wallet.answer_reservation(v_reservation, p_duplicate => false);
end;
$$;

revoke all on function wallet.extend_reservation(text, integer, uuid, boolean) from public;
grant execute on function wallet.extend_reservation(text, integer, uuid, boolean) to service_role;

comment on function wallet.extend_reservation(text, integer, uuid, boolean) is
'Holds more for a call that lasts longer: p_estimated_minutes, 1 to 1440, is its new total; a smaller one changes nothing. Holds and refuses as reserve_call_credits does. Locks the organization''s row. Refuses no_active_reservation, wallet_frozen, insufficient_balance, price_not_found, exchange_rate_not_found; raises WL001 (also when several organizations have this call id and p_org_id is null), WL002, WL005.';
