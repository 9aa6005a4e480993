-- Read by what may not write, such as a gate. Whoever may write ends them: expire_reservations.
create or replace function wallet.lapsed_pence(p_org_id uuid)
returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(sum(reserved_pence), 0)::bigint
    from wallet.credit_reservations
    where org_id = p_org_id and status = 'open' and expires_at <= clock_timestamp()
$$;

revoke all on function wallet.lapsed_pence(uuid) from public;

comment on function wallet.lapsed_pence(uuid) is
'Internal: what is still held by reservations whose time has passed, in minor units.';
