-- Callbacks carry no time and come in any order; what decides is how far the status is. A message
-- ends once: the first news of its end stands, and only one that has arrived can be read.
create or replace function wallet.is_later_sms_status(p_known text, p_told text)
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_statuses constant text[] := wallet.sms_statuses();
begin
    if p_known is null then
        return true;
    elsif p_known in ('undelivered', 'failed', 'canceled') then
        return false;
    elsif p_known = 'delivered' then
        return p_told = 'read';
    end if;
    return array_position(v_statuses, p_told) > array_position(v_statuses, p_known);
end;
$$;

revoke all on function wallet.is_later_sms_status(text, text) from public;

comment on function wallet.is_later_sms_status(text, text) is
'Internal: whether a status that Twilio tells takes the place of the one that is known, null for none.';
