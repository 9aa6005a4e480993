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
    v_new text[] := '{}';
    v_sums record;
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
            || jsonb_build_object(
                'told', v_call.told, 'provider_duration_seconds', (v_call.report).duration_seconds
            )
        );
    end loop;

    for v_call in
        select
            v_reports[n] as report,
            v_outcomes[n] as outcome
        from generate_subscripts(v_outcomes, 1) as n
        order by (v_reports[n]).vapi_call_id
    loop
        if
            wallet.note_billing(
                v_call.report,
                case when (v_call.outcome ->> 'told')::boolean then 'webhook' else 'reconciliation' end,
                v_call.outcome
            )
        then
            v_new := array_append(v_new, v_call.outcome ->> 'vapi_call_id');
        end if;
    end loop;

    if cardinality(v_new) > 0 then
        perform wallet.emit_message(
            'call_unbilled',
            null,
            jsonb_build_object(
                'message', format('%s calls of the provider''s list could not be billed.', cardinality(v_new)),
                'calls', cardinality(v_new),
                'vapi_call_ids', to_jsonb(v_new[:10])
            )
        );
    end if;

    select
        count(*) filter (where success and not duplicate) as billed,
        coalesce(sum((o ->> 'actual_cost_pence')::bigint) filter (where success and not duplicate), 0) as billed_pence,
        coalesce(sum((o ->> 'owed_pence')::bigint) filter (where success and not duplicate), 0) as owed_pence,
        count(*) filter (where not success) as failed_count,
        count(*) filter (where told or duplicate) as told,
        jsonb_agg(
            jsonb_build_object(
                'vapi_call_id', o -> 'vapi_call_id', 'error', o -> 'error', 'message', o -> 'message'
            )
        ) filter (where not success) as failed,
        jsonb_agg(
            jsonb_build_object(
                'call_id', o -> 'call_id',
                'vapi_call_id', o -> 'vapi_call_id',
                'duration_seconds', o -> 'duration_seconds',
                'provider_duration_seconds', o -> 'provider_duration_seconds'
            )
        ) filter (where duplicate) as duplicates
    into v_sums
    from
        unnest(v_outcomes) as o
    cross join lateral (
        select
            (o ->> 'success')::boolean as success,
            coalesce((o ->> 'duplicate')::boolean, false) as duplicate,
            (o ->> 'told')::boolean as told
    ) as outcome;

    return jsonb_build_object(
        'billed', v_sums.billed,
        'billed_pence', v_sums.billed_pence,
        'billed_by_currency', (
            select coalesce(jsonb_object_agg(currency, pence), '{}')
            from (
                select
                    w.currency,
                    sum((o ->> 'actual_cost_pence')::bigint) as pence
                from unnest(v_outcomes) as o
                inner join wallet.organizations as w on w.id = (o ->> 'org_id')::uuid
                where (o ->> 'success')::boolean and not (o ->> 'duplicate')::boolean
                group by w.currency
            ) as sums
        ),
        'owed_pence', v_sums.owed_pence,
        'told', v_sums.told,
        'duplicates', coalesce(v_sums.duplicates, '[]'),
        'failed_count', v_sums.failed_count,
        'failed', coalesce(v_sums.failed, '[]')
    );
end;
$$;

revoke all on function wallet.bill_reported_calls(wallet.call_report[]) from public;

comment on function wallet.bill_reported_calls(wallet.call_report[]) is
'Internal: bills calls that have ended and are not in calls under their Vapi id, each on its own: one that can''t be billed is kept in unbilled_calls and told to the outbox, once for the list. told counts those that were known without this: by webhook, or under another id (duplicates). Locks the organizations in order of id, then the unbilled calls in order of theirs.';
