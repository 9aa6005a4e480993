create or replace function wallet.lock_call_reconciliation(p_worker text, p_from timestamptz, p_to timestamptz)
returns wallet.call_reconciliations
language sql
set search_path = pg_catalog, pg_temp
as $$
    select r
    from wallet.call_reconciliations as r
    where from_at = p_from and to_at = p_to and claimed_by = p_worker
    for no key update
$$;

revoke all on function wallet.lock_call_reconciliation(text, timestamptz, timestamptz) from public;

comment on function wallet.lock_call_reconciliation(text, timestamptz, timestamptz) is
'Internal: locks the window that this worker has claimed and answers it; nothing but nulls when it has not, or not any more.';
