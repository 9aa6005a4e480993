create or replace function wallet.hold_credits(p_org_id uuid, p_pence bigint)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    update wallet.organizations
    set reserved_pence = reserved_pence + p_pence, updated_at = clock_timestamp()
    where id = p_org_id
$$;

revoke all on function wallet.hold_credits(uuid, bigint) from public;

comment on function wallet.hold_credits(uuid, bigint) is
'Internal: holds so much more, or less where negative, of a balance: the only writer of organizations.reserved_pence, beside its repair. The caller holds the organization''s lock and changes the reservation to match.';
