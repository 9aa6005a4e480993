create or replace function wallet.release_reservation(p_call_id text, p_org_id uuid default null)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet wallet.organizations;
    v_reservation wallet.credit_reservations;
    v_duplicate boolean;
begin
    perform wallet.require_text('p_call_id', p_call_id);

    v_wallet := wallet.lock_wallet(wallet.find_reserving_organization(p_call_id, p_org_id));

    select * into v_reservation
    from wallet.credit_reservations
    where org_id = v_wallet.id and call_id = p_call_id;
    if v_reservation.status is null or v_reservation.status in ('committed', 'expired') then
        return wallet.refuse_no_reservation(p_call_id, v_reservation.status);
    end if;

    v_duplicate := v_reservation.status = 'released';
    if not v_duplicate then
        perform wallet.hold_credits(v_wallet.id, -v_reservation.reserved_pence);

        update wallet.credit_reservations
        set status = 'released', closed_at = clock_timestamp(), updated_at = clock_timestamp()
        where org_id = v_wallet.id and id = v_reservation.id
        returning * into v_reservation;

        perform wallet.collect_owed(v_wallet.id);
    end if;

    return wallet.answer_reservation(v_reservation, v_duplicate)
        || jsonb_build_object('released_pence', v_reservation.reserved_pence);
end;
$$;

revoke all on function wallet.release_reservation(text, uuid) from public;
grant execute on function wallet.release_reservation(text, uuid) to service_role;

comment on function wallet.release_reservation(text, uuid) is
'Gives up the reservation of a call that did not take place. Should it have taken place after all, bill_call charges it. Locks the organization''s row. Refuses no_active_reservation; raises WL001 (also when several organizations have this call id and p_org_id is null), WL005.';
