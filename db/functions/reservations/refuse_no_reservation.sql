create or replace function wallet.refuse_no_reservation(p_call_id text, p_status text)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'no_active_reservation',
        format('Call %s has no open reservation%s.', p_call_id, ': it was ' || p_status),
        jsonb_build_object('call_id', p_call_id, 'status', p_status, 'fallback_to_direct_billing', true)
    )
$$;

revoke all on function wallet.refuse_no_reservation(text, text) from public;

comment on function wallet.refuse_no_reservation(text, text) is
'Internal: the refusal no_active_reservation; a call that took place is billed without one, by bill_call.';
