create or replace function wallet.balance_after_entry(p_org_id uuid, p_entry_number bigint)
returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (
            select balance_after_pence from wallet.credit_transactions
            where org_id = p_org_id and entry_number = p_entry_number
        ),
        0
    )
$$;

revoke all on function wallet.balance_after_entry(uuid, bigint) from public;
grant execute on function wallet.balance_after_entry(uuid, bigint) to service_role, authenticated;

comment on function wallet.balance_after_entry(uuid, bigint) is
'Balance in minor units once this entry was written; 0 for entry 0, before the first.';
