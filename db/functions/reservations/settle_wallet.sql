create or replace function wallet.settle_wallet(p_org_id uuid)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_released constant bigint := (select released_pence from wallet.expire_reservations(array[p_org_id]));
    v_collected constant bigint := wallet.collect_owed(p_org_id);
begin
    return v_released > 0 or v_collected > 0;
end;
$$;

revoke all on function wallet.settle_wallet(uuid) from public;

comment on function wallet.settle_wallet(uuid) is
'Internal: ends what has lapsed, then charges what is owed; answers whether that changed anything. The caller holds the organization''s lock, and reads its row again.';
