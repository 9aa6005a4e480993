create or replace function wallet.sum_billings(p_outcomes jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sums record;
begin
    select
        count(*) filter (where success and not duplicate) as billed,
        coalesce(sum(cost_pence) filter (where success and not duplicate), 0) as billed_pence,
        coalesce(sum(owed_pence) filter (where success and not duplicate), 0) as owed_pence,
        count(*) filter (where not success) as failed_count,
        count(*) filter (where told or duplicate) as told,
        jsonb_agg(
            jsonb_build_object('vapi_call_id', vapi_call_id, 'error', error, 'message', message)
        ) filter (where not success) as failed,
        jsonb_agg(vapi_call_id) filter (where new) as new,
        jsonb_agg(
            jsonb_build_object(
                'call_id', call_id,
                'vapi_call_id', vapi_call_id,
                'duration_seconds', duration_seconds,
                'provider_duration_seconds', provider_duration_seconds
            )
        ) filter (where duplicate) as duplicates,
        (
            select coalesce(jsonb_object_agg(currency, pence), '{}')
            from (
                select
                    w.currency,
                    sum(b.cost_pence) as pence
                from jsonb_to_recordset(p_outcomes) as b (
                    org_id uuid, success boolean, duplicate boolean, cost_pence bigint
                )
                inner join wallet.organizations as w on w.id = b.org_id
                where b.success and not b.duplicate
                group by w.currency
            ) as sums
        ) as billed_by_currency
    into v_sums
    from jsonb_to_recordset(p_outcomes) as o (
        vapi_call_id text, call_id text, success boolean, duplicate boolean, told boolean, new boolean,
        cost_pence bigint, owed_pence bigint, duration_seconds bigint, provider_duration_seconds bigint,
        error text, message text
    );

    return jsonb_build_object(
        'billed', v_sums.billed,
        'billed_pence', v_sums.billed_pence,
        'billed_by_currency', v_sums.billed_by_currency,
        'owed_pence', v_sums.owed_pence,
        'told', v_sums.told,
        'duplicates', coalesce(v_sums.duplicates, '[]'),
        'failed_count', v_sums.failed_count,
        'failed', coalesce(v_sums.failed, '[]'),
        'new', coalesce(v_sums.new, '[]')
    );
end;
$$;

revoke all on function wallet.sum_billings(jsonb) from public;

comment on function wallet.sum_billings(jsonb) is
'Internal: counts and adds up what bill_reported_calls answers. told counts those that were known without it: by webhook, or under another id (duplicates); new names those that could not be billed for the first time.';
