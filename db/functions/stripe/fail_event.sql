-- Raising undoes whatever the handler wrote; process_stripe_event catches it and stores the event as
-- failed, so callers never see this SQLSTATE.
create or replace function wallet.fail_event(p_error text, p_message text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using errcode = 'WL011', message = p_message, detail = p_error;
end;
$$;

revoke all on function wallet.fail_event(text, text) from public;

comment on function wallet.fail_event(text, text) is
'Internal: gives up on a Stripe event for a person to see, with a stable code and a sentence. Raises WL011.';
