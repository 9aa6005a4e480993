create or replace function wallet.save_backfill(
    p_backfill_id uuid,
    p_compared_until timestamptz,
    p_counts jsonb,
    p_finished boolean default false
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value('p_backfill_id', p_backfill_id);
    perform wallet.require_value('p_compared_until', p_compared_until);
    perform wallet.require_value('p_counts', p_counts);
    perform wallet.require_value('p_finished', p_finished);

    update wallet.stripe_backfills
    set
        compared_until = p_compared_until,
        counts = p_counts,
        updated_at = clock_timestamp(),
        finished_at = case when p_finished then clock_timestamp() end
    where id = p_backfill_id;

    if not found then
        return wallet.refuse(
            'backfill_not_found',
            format('There is no backfill %s.', p_backfill_id),
            jsonb_build_object('backfill_id', p_backfill_id)
        );
    end if;
    return jsonb_build_object('success', true, 'backfill_id', p_backfill_id);
end;
$$;

revoke all on function wallet.save_backfill(uuid, timestamptz, jsonb, boolean) from public;
grant execute on function wallet.save_backfill(uuid, timestamptz, jsonb, boolean) to service_role;

comment on function wallet.save_backfill(uuid, timestamptz, jsonb, boolean) is
'Keeps how far a backfill came and what it found. Called in the transaction that applies an event, its counts are exact even when it is killed. Refuses backfill_not_found; raises WL001.';
