-- A refund that finds no credit is parked, and a credit looks for what is parked. This lock keeps the
-- two from missing each other; it comes before the organization's, which a refund has yet to find.
-- Payment intents share 1024 locks, so that a transaction which imports any number of credits fits
-- into the server's lock table.
create or replace function wallet.lock_payment_intent(p_payment_intent_id text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select pg_advisory_xact_lock(hashtext('wallet payment intent'), hashtext(p_payment_intent_id) & 1023)
$$;

revoke all on function wallet.lock_payment_intent(text) from public;

comment on function wallet.lock_payment_intent(text) is
'Internal: one transaction at a time for a payment intent, to the end of the transaction. Taken before the organization''s row.';
