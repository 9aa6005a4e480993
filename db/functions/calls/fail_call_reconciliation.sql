create or replace function wallet.fail_call_reconciliation(
    p_worker text,
    p_from timestamptz,
    p_to timestamptz,
    p_error text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_longest_pause constant interval := '1 hour';
    v_run wallet.call_reconciliations;
begin
    perform wallet.require_text('p_worker', p_worker);
    perform wallet.require_value('p_from', p_from);
    perform wallet.require_value('p_to', p_to);
    perform wallet.require_text('p_error', p_error);

    v_run := wallet.lock_call_reconciliation(p_worker, p_from, p_to);
    if v_run.from_at is null then
        return wallet.refuse_lost_reconciliation(p_from, p_to);
    end if;

    update wallet.call_reconciliations
    set
        claimed_by = null,
        next_try_at = clock_timestamp()
        + least(interval '1 minute' * power(2, least(v_run.attempts - 1, 10)), v_longest_pause),
        last_error = p_error
    where from_at = p_from and to_at = p_to
    returning * into v_run;

    return jsonb_build_object(
        'success', true, 'from', p_from, 'to', p_to, 'status', v_run.status, 'next_try_at', v_run.next_try_at
    );
end;
$$;

revoke all on function wallet.fail_call_reconciliation(text, timestamptz, timestamptz, text) from public;
grant execute on function wallet.fail_call_reconciliation(text, timestamptz, timestamptz, text)
to wallet_worker, service_role;

comment on function wallet.fail_call_reconciliation(text, timestamptz, timestamptz, text) is
'Gives back a window that this worker has claimed and could not list, with the error: it is due again after 1, 2, 4 minutes and so on, up to an hour, and goes on where it stopped. Locks the window''s row. Refuses reconciliation_lost; raises WL001, WL005.';
