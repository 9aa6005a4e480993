-- A status that finds no message is parked, and whoever gives a message its Twilio id looks for what is
-- parked. This lock keeps the two from missing each other; it comes before the organization's, which
-- a status has yet to find. Ids share 1024 locks, so that a transaction which charges any number of
-- messages fits into the server's lock table.
create or replace function wallet.lock_sms(p_twilio_sid text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select pg_advisory_xact_lock(hashtext('wallet sms'), hashtext(p_twilio_sid) & 1023)
$$;

revoke all on function wallet.lock_sms(text) from public;

comment on function wallet.lock_sms(text) is
'Internal: one transaction at a time for a Twilio message id, to the end of the transaction. Taken before the organization''s row, and before an id that no message has yet is given to one or parked.';
