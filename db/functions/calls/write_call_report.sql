create or replace function wallet.write_call_report(p_report wallet.call_report)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_strip_nulls(
        jsonb_build_object(
            'id', p_report.vapi_call_id,
            'type',
            case p_report.direction
                when 'inbound' then 'inboundPhoneCall'
                when 'outbound' then 'outboundPhoneCall'
                when 'web' then 'webCall'
            end,
            'status', case when p_report.ended then 'ended' end,
            'createdAt', to_char(p_report.placed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'startedAt', to_char(p_report.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'endedAt', to_char(p_report.ended_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'durationSeconds', p_report.duration_seconds,
            'endedReason', p_report.ended_reason,
            'cost', p_report.provider_cost_usd,
            'assistantId', p_report.assistant_id,
            'phoneNumberId', p_report.phone_number_id,
            'metadata', jsonb_build_object('org_id', p_report.org_id, 'call_id', p_report.call_id)
        )
    )
$$;

revoke all on function wallet.write_call_report(wallet.call_report) from public;

comment on function wallet.write_call_report(wallet.call_report) is
'Internal: the Call object that read_call_report reads as this report.';
