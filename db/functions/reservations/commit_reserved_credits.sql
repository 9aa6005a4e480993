create or replace function wallet.commit_reserved_credits(
    p_call_id text,
    p_actual_duration_seconds bigint,
    p_org_id uuid default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet wallet.organizations;
    v_reservation wallet.credit_reservations;
    v_answer jsonb;
begin
    perform wallet.require_text('p_call_id', p_call_id);
    perform wallet.require_duration('p_actual_duration_seconds', p_actual_duration_seconds);

    v_wallet := wallet.lock_wallet(wallet.find_reserving_organization(p_call_id, p_org_id));

    select * into v_reservation
    from wallet.credit_reservations
    where org_id = v_wallet.id and call_id = p_call_id;
    if v_reservation.status is null or v_reservation.status = 'released' then
        return wallet.refuse_no_reservation(p_call_id, v_reservation.status);
    end if;

    v_answer := wallet.charge_call(
        v_wallet.id,
        p_call_id,
        jsonb_populate_record(
            null::wallet.call_report,
            jsonb_build_object(
                'vapi_call_id', v_reservation.vapi_call_id, 'duration_seconds', p_actual_duration_seconds
            )
        ),
        'reservation'
    );
    v_answer := wallet.refuse_other_duration(v_answer, p_actual_duration_seconds);

    return v_answer
        || case
            when (v_answer ->> 'success')::boolean then jsonb_build_object(
                'balance_before_pence', v_answer -> 'balance_before',
                'balance_after_pence', v_answer -> 'balance_after',
                'actual_minutes', round(p_actual_duration_seconds / 60.0, 2)
            )
            else '{}'
        end;
end;
$$;

revoke all on function wallet.commit_reserved_credits(text, bigint, uuid) from public;
grant execute on function wallet.commit_reserved_credits(text, bigint, uuid) to service_role;

comment on function wallet.commit_reserved_credits(text, bigint, uuid) is
'Charges a call that was reserved for, by its duration in seconds, 0 or more, at the price of when it was reserved, and gives back the rest of the hold. What is above the hold is charged in full up to the debt limit; the rest is owed. A reservation that has expired is charged just the same. Locks the organization''s row. Refuses no_active_reservation, idempotency_conflict, price_not_found, exchange_rate_not_found; raises WL001 (also when several organizations have this call id and p_org_id is null), WL002, WL005.';
