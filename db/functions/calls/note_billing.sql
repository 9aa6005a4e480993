-- Waits for the row of a call whose billing is being noted elsewhere. Whoever bills calls of several
-- organizations bills them all first, and then notes them in order of their Vapi ids.
create or replace function wallet.note_billing(p_report wallet.call_report, p_source text, p_answer jsonb)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_attempts integer;
begin
    if (p_answer ->> 'success')::boolean then
        update wallet.unbilled_calls
        set billed_at = clock_timestamp(), updated_at = clock_timestamp()
        where vapi_call_id = p_report.vapi_call_id and billed_at is null;
        return false;
    end if;

    insert into wallet.unbilled_calls as u (vapi_call_id, report, told_by, error_code, error_message)
    values (
        p_report.vapi_call_id,
        wallet.write_call_report(p_report),
        p_source,
        p_answer ->> 'error',
        p_answer ->> 'message'
    )
    on conflict (vapi_call_id) do update
    set
        report = excluded.report,
        told_by = case u.told_by when 'webhook' then u.told_by else excluded.told_by end,
        error_code = excluded.error_code,
        error_message = excluded.error_message,
        attempts = u.attempts + 1,
        updated_at = clock_timestamp()
    where u.billed_at is null
    returning u.attempts into v_attempts;

    return coalesce(v_attempts = 1, false);
end;
$$;

revoke all on function wallet.note_billing(wallet.call_report, text, jsonb) from public;

comment on function wallet.note_billing(wallet.call_report, text, jsonb) is
'Internal: keeps a call that could not be billed, with the reason and who told of it (webhook or reconciliation), or notes that one has been billed after all. Answers whether it is the first time that it could not.';
