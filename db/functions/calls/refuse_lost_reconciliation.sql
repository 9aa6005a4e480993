create or replace function wallet.refuse_lost_reconciliation(p_from timestamptz, p_to timestamptz)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'reconciliation_lost',
        format('The reconciliation from %s to %s is not this worker''s.', p_from, p_to),
        jsonb_build_object('from', p_from, 'to', p_to)
    )
$$;

revoke all on function wallet.refuse_lost_reconciliation(timestamptz, timestamptz) from public;

comment on function wallet.refuse_lost_reconciliation(timestamptz, timestamptz) is
'Internal: the refusal reconciliation_lost.';
