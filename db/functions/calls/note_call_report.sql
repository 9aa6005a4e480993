-- The provider's webhook, its list and our backend each know something of a call, in any order.
create or replace function wallet.note_call_report(
    p_call wallet.calls,
    p_report wallet.call_report,
    p_source text,
    p_provider_cost_pence bigint
)
returns wallet.calls
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_call wallet.calls;
begin
    update wallet.calls
    set
        vapi_call_id = coalesce(
            vapi_call_id,
            -- Two calls of ours may turn out to be one of the provider's: the other has the id.
            (
                select p_report.vapi_call_id
                where not exists (
                    select from wallet.calls
                    where org_id = p_call.org_id and vapi_call_id = p_report.vapi_call_id
                )
            )
        ),
        direction = coalesce(direction, p_report.direction),
        assistant_id = coalesce(assistant_id, p_report.assistant_id),
        phone_number_id = coalesce(phone_number_id, p_report.phone_number_id),
        ended_reason = coalesce(ended_reason, p_report.ended_reason),
        started_at = coalesce(started_at, p_report.started_at),
        ended_at = coalesce(ended_at, p_report.ended_at),
        placed_at = coalesce(p_report.placed_at, placed_at),
        provider_cost_pence = coalesce(provider_cost_pence, p_provider_cost_pence),
        reported_at = coalesce(reported_at, case p_source when 'webhook' then clock_timestamp() end),
        updated_at = clock_timestamp()
    where org_id = p_call.org_id and call_id = p_call.call_id
    returning * into v_call;

    return v_call;
end;
$$;

revoke all on function wallet.note_call_report(wallet.calls, wallet.call_report, text, bigint) from public;

comment on function wallet.note_call_report(wallet.calls, wallet.call_report, text, bigint) is
'Internal: adds to a billed call what was not known of it. Duration and cost stay as billed. The caller holds the organization''s lock.';
