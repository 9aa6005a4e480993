create or replace function wallet.answer_reservation(
    p_reservation wallet.credit_reservations,
    p_duplicate boolean
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'success', true,
        'duplicate', p_duplicate,
        'reservation_id', p_reservation.id,
        'call_id', p_reservation.call_id,
        'status', p_reservation.status,
        'estimated_minutes', p_reservation.estimated_minutes,
        'requested_pence', p_reservation.requested_pence,
        'reserved_pence', p_reservation.reserved_pence,
        'expires_at', p_reservation.expires_at,
        'effective_balance_pence', wallet_balance_pence::numeric - reserved_pence - owed_pence,
        'active_reservations_pence', reserved_pence
    )
    from wallet.organizations
    where id = p_reservation.org_id
$$;

revoke all on function wallet.answer_reservation(wallet.credit_reservations, boolean) from public;

comment on function wallet.answer_reservation(wallet.credit_reservations, boolean) is
'Internal: a reservation, and what it leaves to others: balance minus reservations and what is owed.';
