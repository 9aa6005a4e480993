-- The window's row is locked before any organization's, like every other row that is waited for. What
-- recover_provider_calls has billed of this window is told as if it had been billed here.
create or replace function wallet.reconcile_calls(p_from timestamptz, p_to timestamptz, p_provider_calls jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_most_listed constant jsonpath := '$[0 to 99]';
    v_settings wallet.call_settings;
    v_run wallet.call_reconciliations;
    v_reports wallet.call_report[];
    v_calls wallet.call_report[];
    v_problems jsonb;
    v_outcomes jsonb;
    v_found record;
    v_billed jsonb;
    v_mismatched jsonb;
    v_failed jsonb;
    v_unknown jsonb;
    v_missing bigint;
    v_told bigint;
    v_reliability numeric;
    v_alerts boolean;
    v_report jsonb;
begin
    perform wallet.require_value('p_from', p_from);
    perform wallet.require_value('p_to', p_to);
    perform wallet.require_value('p_provider_calls', p_provider_calls);
    if p_to <= p_from or not isfinite(p_from) or not isfinite(p_to) then
        perform wallet.raise_misuse('WL006', 'p_to', 'must be later than p_from', p_to::text);
    elsif jsonb_typeof(p_provider_calls) <> 'array' then
        perform wallet.raise_misuse('WL006', 'p_provider_calls', 'must be an array of Call objects');
    end if;

    select * into strict v_settings from wallet.call_settings;

    insert into wallet.call_reconciliations (from_at, to_at, requested_by)
    values (p_from, p_to, 'reconcile_calls')
    on conflict (from_at, to_at) do nothing;

    select * into strict v_run
    from wallet.call_reconciliations
    where from_at = p_from and to_at = p_to
    for no key update;

    select
        array_agg(l.report) filter (where l.problem is null),
        jsonb_agg(l.problem) filter (where l.problem is not null)
    into v_reports, v_problems
    from wallet.read_listed_calls(p_provider_calls) as l;

    -- Of a call that is listed twice, what was told later.
    v_calls := array(
        select distinct on (r.vapi_call_id) r
        from unnest(v_reports) as r
        order by r.vapi_call_id, r.ended desc, r.duration_seconds desc nulls last
    );

    select coalesce(jsonb_object_agg(vapi_call_id, outcome), '{}') into v_outcomes
    from wallet.provider_calls
    where from_at = p_from and to_at = p_to and outcome ? 'success';

    with compared as (
        select
            r as report,
            b.outcome,
            c.*,
            r.placed_at >= p_from and r.placed_at < p_to as inside,
            abs(c.duration_seconds - r.duration_seconds) > v_settings.duration_tolerance_seconds as mismatched
        from unnest(v_calls) as r
        cross join lateral (select v_outcomes -> r.vapi_call_id as outcome) as b
        left join lateral (
            select call_id, duration_seconds, reconciled
            from wallet.calls
            where vapi_call_id = r.vapi_call_id and not coalesce((b.outcome ->> 'success')::boolean, false)
            limit 1
        ) as c on true
    )

    select
        count(*) filter (where not inside) as outside,
        count(*) filter (where inside and not (report).ended) as unfinished,
        count(*) filter (where inside and (report).ended) as ended,
        count(*) filter (where inside and (report).ended and call_id is not null) as recorded,
        count(*) filter (where inside and (report).ended and not reconciled) as told,
        array_agg(report) filter (
            where inside and (report).ended and call_id is null and outcome is null
        ) as missing,
        jsonb_agg(outcome) filter (
            where inside and (report).ended and call_id is null and outcome is not null
        ) as outcomes,
        jsonb_agg(
            jsonb_build_object(
                'call_id', call_id,
                'vapi_call_id', (report).vapi_call_id,
                'duration_seconds', duration_seconds,
                'provider_duration_seconds', (report).duration_seconds
            )
        ) filter (where inside and mismatched) as mismatched
    into v_found
    from compared;

    v_billed := wallet.sum_billings(
        coalesce(v_found.outcomes, '[]') || wallet.bill_reported_calls(v_found.missing)
    );

    select coalesce(v_found.mismatched, '[]') || coalesce(jsonb_agg(d), '[]') into v_mismatched
    from jsonb_array_elements(v_billed -> 'duplicates') as d
    where
        abs((d ->> 'duration_seconds')::bigint - (d ->> 'provider_duration_seconds')::bigint)
        > v_settings.duration_tolerance_seconds;

    select coalesce(jsonb_agg(jsonb_build_object('call_id', c.call_id, 'vapi_call_id', c.vapi_call_id)), '[]')
    into v_unknown
    from wallet.calls as c
    where
        c.placed_at >= p_from
        and c.placed_at < p_to
        and c.vapi_call_id is not null
        and not exists (select from unnest(v_calls) as r where r.vapi_call_id = c.vapi_call_id);

    v_problems := coalesce(v_problems, '[]');
    v_failed := v_problems || (v_billed -> 'failed');
    v_told := v_found.told + (v_billed ->> 'told')::bigint;
    v_missing := v_found.ended - v_found.recorded - (v_billed ->> 'told')::bigint;
    v_reliability := trim_scale(round(100.0 * v_told / nullif(v_found.ended, 0), 2));
    v_alerts := v_missing > 0 and v_reliability < v_settings.reliability_alert_percent and v_run.alerted_at is null;

    v_report := jsonb_build_object(
        'from', p_from,
        'to', p_to,
        'run', coalesce((v_run.report ->> 'run')::integer, 0) + 1,
        'provider_calls', coalesce(cardinality(v_reports), 0) + jsonb_array_length(v_problems),
        'duplicates', coalesce(cardinality(v_reports), 0) - cardinality(v_calls),
        'outside', v_found.outside,
        'unfinished', v_found.unfinished,
        'known', v_found.ended - v_missing,
        'missing', v_missing,
        'recovered', v_billed -> 'billed',
        'recovered_pence', v_billed -> 'billed_pence',
        'recovered_by_currency', v_billed -> 'billed_by_currency',
        'owed_pence', v_billed -> 'owed_pence',
        'failed', jsonb_path_query_array(v_failed, v_most_listed),
        'failed_count', jsonb_array_length(v_failed),
        'unusable', jsonb_array_length(v_problems),
        'mismatched', jsonb_path_query_array(v_mismatched, v_most_listed),
        'mismatched_count', jsonb_array_length(v_mismatched),
        'unknown_to_provider', jsonb_path_query_array(v_unknown, v_most_listed),
        'unknown_to_provider_count', jsonb_array_length(v_unknown),
        'reliability_percent', v_reliability,
        'alerted', v_alerts
    );

    -- These are kept nowhere else.
    if jsonb_array_length(v_problems) > coalesce((v_run.report ->> 'unusable')::integer, 0) then
        perform wallet.emit_message(
            'call_unbilled',
            null,
            jsonb_build_object(
                'message',
                format(
                    '%s calls of the provider''s list could not be read: %s',
                    jsonb_array_length(v_problems),
                    v_problems #>> '{0,message}'
                ),
                'calls', jsonb_array_length(v_problems),
                'vapi_call_ids', jsonb_path_query_array(v_problems, '$[0 to 9].vapi_call_id'),
                'error', 'unusable_report'
            )
        );
    end if;

    if jsonb_array_length(v_billed -> 'new') > 0 then
        perform wallet.emit_message(
            'call_unbilled',
            null,
            jsonb_build_object(
                'message',
                format(
                    '%s calls of the provider''s list could not be billed.', jsonb_array_length(v_billed -> 'new')
                ),
                'calls', jsonb_array_length(v_billed -> 'new'),
                'vapi_call_ids', jsonb_path_query_array(v_billed -> 'new', '$[0 to 9]')
            )
        );
    end if;

    if v_alerts then
        perform wallet.emit_message(
            'reliability_low',
            null,
            jsonb_build_object(
                'message',
                format(
                    'The webhook told of %s %% of the calls from %s to %s UTC, less than %s %%: %s of %s were missing, '
                    '%s are billed now.',
                    v_reliability,
                    to_char(p_from at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
                    to_char(p_to at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
                    trim_scale(v_settings.reliability_alert_percent),
                    v_missing,
                    v_found.ended,
                    v_billed -> 'billed'
                )
            )
            || (v_report - array['failed', 'mismatched', 'unknown_to_provider', 'alerted'])
        );
    end if;

    update wallet.call_reconciliations
    set
        status = 'done',
        attempts = 0,
        claimed_by = null,
        listed_back_to = null,
        last_error = null,
        report = v_report,
        alerted_at = case when v_alerts then clock_timestamp() else alerted_at end,
        finished_at = clock_timestamp()
    where from_at = p_from and to_at = p_to;

    delete from wallet.provider_calls
    where from_at = p_from and to_at = p_to;

    return jsonb_build_object('success', true) || v_report;
end;
$$;

revoke all on function wallet.reconcile_calls(timestamptz, timestamptz, jsonb) from public;
grant execute on function wallet.reconcile_calls(timestamptz, timestamptz, jsonb) to service_role;

comment on function wallet.reconcile_calls(timestamptz, timestamptz, jsonb) is
'Compares the calls that the provider lists as created from p_from to before p_to (Call objects, each with all that read_call_report needs) with ours, and bills what is missing, once, with reconciled = true. known were recorded or told by webhook before; missing were not; recovered are billed now, for recovered_pence (by currency in recovered_by_currency, where wallets have several), of which owed_pence could not be charged; failed could not be billed, unusable of them not even be read; unfinished have not ended; lists hold 100 at most beside their counts. reliability_percent is the share of ended calls that were known without any reconciliation; below call_settings.reliability_alert_percent, with something missing, reliability_low is told to the outbox, once for a window. Locks the window''s row, then organizations in order of id, then unbilled calls in order of theirs. Raises WL001, WL006.';
