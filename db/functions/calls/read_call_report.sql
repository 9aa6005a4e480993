-- Billed is the time between startedAt and endedAt, each second begun: durationSeconds is only told by the
-- webhook, and both ways of hearing of a call must come to the same price. Whose call it is is read from the
-- call's own metadata; orgId is the account at Vapi, not an organization of ours.
create or replace function wallet.read_call_report(p_report jsonb)
returns wallet.call_report
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_longest_seconds constant integer := 604800;
    v_call constant jsonb := wallet.strip_call_report(p_report);
    v_id constant text := v_call ->> 'id';
    v_call_id constant text := btrim(v_call #>> '{metadata,call_id}', E' \t\n\r');
    v_placed_at constant timestamptz := wallet.read_report_time(v_call, 'createdAt');
    v_started_at constant timestamptz := wallet.read_report_time(v_call, 'startedAt');
    v_ended_at constant timestamptz := wallet.read_report_time(v_call, 'endedAt');
    v_ended constant boolean := coalesce(v_call ->> 'status' = 'ended' or v_ended_at is not null, false);
    v_told constant jsonb := v_call -> 'durationSeconds';
    v_cost constant jsonb := v_call -> 'cost';
    v_seconds numeric;
begin
    if
        (jsonb_typeof(v_call -> 'id') = 'string' and btrim(v_id, E' \t\n\r') <> '' and length(v_id) <= 255) is not true
    then
        perform wallet.raise_misuse('WL012', 'id', 'must be the id of a call, up to 255 characters', v_id);
    elsif coalesce(v_placed_at, v_started_at, v_ended_at) is null then
        perform wallet.raise_misuse('WL012', 'createdAt', 'is required');
    end if;

    if v_ended then
        if v_started_at is not null and v_ended_at is not null then
            v_seconds := ceil(extract(epoch from v_ended_at - v_started_at));
        elsif jsonb_typeof(v_told) = 'number' then
            v_seconds := ceil(v_told::numeric);
        elsif v_started_at is null then
            v_seconds := 0;
        else
            perform wallet.raise_misuse('WL012', 'endedAt', 'is required of a call that was started and has ended');
        end if;
        if v_seconds not between 0 and v_longest_seconds then
            perform wallet.raise_misuse(
                'WL012', 'endedAt', 'must make a call of 0 to 604800 seconds, a week', v_seconds::text
            );
        end if;
    end if;

    return row(
        v_id,
        case when length(v_call_id) between 1 and 255 then v_call_id end,
        wallet.parse_uuid(v_call #>> '{metadata,org_id}'),
        v_ended,
        case v_call ->> 'type'
            when 'inboundPhoneCall' then 'inbound'
            when 'outboundPhoneCall' then 'outbound'
            when 'webCall' then 'web'
            when 'vapi.websocketCall' then 'web'
        end,
        v_call ->> 'assistantId',
        v_call ->> 'phoneNumberId',
        v_call ->> 'endedReason',
        coalesce(v_placed_at, v_started_at, v_ended_at),
        v_started_at,
        v_ended_at,
        v_seconds,
        case when jsonb_typeof(v_cost) = 'number' and v_cost::numeric between 0 and 1000000 then v_cost::numeric end
    )::wallet.call_report;
end;
$$;

revoke all on function wallet.read_call_report(jsonb) from public;

comment on function wallet.read_call_report(jsonb) is
'Internal: one call as Vapi tells it, in an end-of-call-report message or as a Call object. duration_seconds is null while it has not ended, and 0 when it was never started. Raises WL012, naming the field, for what is no usable report of a call.';
