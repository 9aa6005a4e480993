-- Organizations are locked in order of id, and nothing else is waited for until all of them are: neither two
-- lists nor a list and a webhook can hold what the other needs.
create or replace function wallet.bill_reported_calls(p_reports wallet.call_report[])
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_ids uuid[];
    v_charged jsonb;
    v_call record;
    v_outcomes jsonb[] := '{}';
    v_reports wallet.call_report[] := '{}';
    v_results jsonb[] := '{}';
begin
    v_org_ids := array(select distinct (wallet.resolve_call(r)).org_id from unnest(p_reports) as r);

    perform from wallet.organizations
    where id = any(v_org_ids)
    order by id
    for no key update;

    select wallet.find_charged_calls(v_org_ids, array_agg(vapi_call_id), min(placed_at)) into v_charged
    from unnest(p_reports);

    for v_call in
        select
            case
                when v_charged ? r.vapi_call_id
                    then jsonb_populate_record(r, jsonb_build_object('call_id', v_charged -> r.vapi_call_id))
                else r
            end as report,
            exists (
                select from wallet.unbilled_calls as u
                where u.vapi_call_id = r.vapi_call_id and u.told_by = 'webhook'
            ) as told
        from unnest(p_reports) as r
        order by (wallet.resolve_call(r)).org_id nulls last, r.placed_at, r.vapi_call_id
    loop
        v_reports := array_append(v_reports, v_call.report);
        v_outcomes := array_append(
            v_outcomes,
            wallet.bill_reported_call(v_call.report, case when v_call.told then 'webhook' else 'reconciliation' end)
            || jsonb_build_object('told', v_call.told)
        );
    end loop;

    for v_call in
        select
            v_reports[n] as report,
            v_outcomes[n] as outcome
        from generate_subscripts(v_outcomes, 1) as n
        order by (v_reports[n]).vapi_call_id
    loop
        v_results := array_append(v_results, jsonb_build_object(
            'vapi_call_id', v_call.outcome -> 'vapi_call_id',
            'org_id', v_call.outcome -> 'org_id',
            'call_id', v_call.outcome -> 'call_id',
            'success', v_call.outcome -> 'success',
            'duplicate', coalesce(v_call.outcome -> 'duplicate', 'false'),
            'told', v_call.outcome -> 'told',
            'cost_pence', v_call.outcome -> 'actual_cost_pence',
            'owed_pence', v_call.outcome -> 'owed_pence',
            'duration_seconds', v_call.outcome -> 'duration_seconds',
            'provider_duration_seconds', (v_call.report).duration_seconds,
            'error', v_call.outcome -> 'error',
            'message', v_call.outcome -> 'message',
            'new',
            wallet.note_billing(
                v_call.report,
                case when (v_call.outcome ->> 'told')::boolean then 'webhook' else 'reconciliation' end,
                v_call.outcome
            )
        ));
    end loop;

    return to_jsonb(v_results);
end;
$$;

revoke all on function wallet.bill_reported_calls(wallet.call_report[]) from public;

comment on function wallet.bill_reported_calls(wallet.call_report[]) is
'Internal: bills calls that have ended and are not in calls under their Vapi id, each on its own; one that can''t be billed is kept in unbilled_calls. Answers what became of each, for sum_billings. Locks the organizations in order of id, then the unbilled calls in order of theirs.';
