-- A number is in use once in all wallets, and no constraint can say so: a key of a tenant's table holds
-- its organization. This lock comes before the organization's. Numbers share 1024 locks, so that a
-- transaction which provisions any number of them fits into the server's lock table.
create or replace function wallet.lock_phone_number(p_number text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select pg_advisory_xact_lock(hashtext('wallet phone number'), hashtext(p_number) & 1023)
$$;

revoke all on function wallet.lock_phone_number(text) from public;

comment on function wallet.lock_phone_number(text) is
'Internal: one transaction at a time for a phone number, to the end of the transaction. Taken before the organization''s row.';
