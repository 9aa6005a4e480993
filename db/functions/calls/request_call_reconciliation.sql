create or replace function wallet.request_call_reconciliation(p_date date, p_actor text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := clock_timestamp();
    v_date constant date := coalesce(p_date, (v_now at time zone 'UTC')::date - 1);
    v_from constant timestamptz := v_date::timestamp at time zone 'UTC';
    v_to constant timestamptz := (v_date::timestamp + interval '1 day') at time zone 'UTC';
    v_run wallet.call_reconciliations;
    v_already_due boolean;
begin
    perform wallet.require_text('p_actor', p_actor);
    if v_from > v_now or not isfinite(v_date) then
        perform wallet.raise_misuse('WL006', 'p_date', 'must not be in the future, UTC', p_date::text);
    end if;

    insert into wallet.call_reconciliations as r (from_at, to_at, requested_by)
    values (v_from, v_to, p_actor)
    on conflict (from_at, to_at) do nothing;
    v_already_due := not found;

    select * into strict v_run
    from wallet.call_reconciliations
    where from_at = v_from and to_at = v_to
    for no key update;

    v_already_due := v_already_due and v_run.status = 'due';

    -- One that a worker has is left with it.
    if v_run.claimed_by is null or v_run.next_try_at <= v_now then
        update wallet.call_reconciliations
        set status = 'due', next_try_at = v_now, requested_by = p_actor
        where from_at = v_from and to_at = v_to;
    end if;

    perform pg_notify('pgwallet_reconcile', '');
    return jsonb_build_object(
        'success', true, 'from', v_from, 'to', v_to, 'status', 'due', 'already_due', v_already_due
    );
end;
$$;

revoke all on function wallet.request_call_reconciliation(date, text) from public;
grant execute on function wallet.request_call_reconciliation(date, text) to wallet_webhook, service_role;

comment on function wallet.request_call_reconciliation(date, text) is
'Makes a day, UTC (null: yesterday), due now for a worker to reconcile, whether it was before or not; today is compared as far as it is, and again when it is over. already_due says that it was due, or under way, before. Notifies pgwallet_reconcile. Locks the window''s row. Raises WL001, WL005, and WL006 for a day in the future.';
