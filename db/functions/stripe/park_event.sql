-- Whatever is parked has been read in full: what is malformed must not come up when the credit lands.
create or replace function wallet.park_event()
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'success', true,
        'outcome', 'pending',
        'message', 'No credit of this payment is known yet; this is applied when it lands.'
    )
$$;

revoke all on function wallet.park_event() from public;

comment on function wallet.park_event() is
'Internal: the answer to a refund, dispute or warning about a payment that no wallet was credited with. apply_parked_events takes it up again.';
