create or replace function wallet.answer_repeated_reservation(
    p_reservation wallet.credit_reservations,
    p_estimated_minutes integer
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_reservation.requested_minutes <> p_estimated_minutes then
        return wallet.refuse(
            'idempotency_conflict',
            format('Call %s has a reservation for %s minutes.', p_reservation.call_id, p_reservation.requested_minutes),
            jsonb_build_object(
                'reservation_id', p_reservation.id,
                'original_estimated_minutes', p_reservation.requested_minutes,
                'attempted_estimated_minutes', p_estimated_minutes,
                'reserved_pence', p_reservation.reserved_pence
            )
        );
    elsif p_reservation.status <> 'open' then
        return wallet.refuse(
            'reservation_closed',
            format('The reservation of call %s was %s.', p_reservation.call_id, p_reservation.status),
            jsonb_build_object(
                'reservation_id', p_reservation.id,
                'call_id', p_reservation.call_id,
                'status', p_reservation.status
            )
        );
    end if;
    return wallet.answer_reservation(p_reservation, p_duplicate => true);
end;
$$;

revoke all on function wallet.answer_repeated_reservation(wallet.credit_reservations, integer) from public;

comment on function wallet.answer_repeated_reservation(wallet.credit_reservations, integer) is
'Internal: the answer to a second reservation for a call: the first, as long as it is open and was for as many minutes; else idempotency_conflict or reservation_closed.';
