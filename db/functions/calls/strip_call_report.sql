-- Vapi tells of a call as a Call object (docs.vapi.ai/api-reference/calls/list), and in a server message that
-- holds one under call, with the times, the reason and the cost beside it (docs.vapi.ai/server-url/events).
-- Both become one flat Call here. Whatever is not listed is left out: transcripts, recordings, phone numbers.
create or replace function wallet.strip_call_report(p_report jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kept constant text[] := array[
        'id', 'type', 'status', 'createdAt', 'startedAt', 'endedAt', 'endedReason', 'durationSeconds', 'cost',
        'assistantId', 'phoneNumberId'
    ];
    v_beside constant text[] := array['startedAt', 'endedAt', 'endedReason', 'durationSeconds', 'cost'];
    v_message constant jsonb := coalesce(nullif(p_report -> 'message', 'null'), p_report);
    v_call jsonb := v_message;
begin
    if v_message ->> 'type' = 'end-of-call-report' then
        v_call := v_message -> 'call';
        if jsonb_typeof(v_call) = 'object' then
            v_call := v_call || '{"status": "ended"}' || coalesce(
                (
                    select jsonb_object_agg(key, value)
                    from jsonb_each(v_message)
                    where key = any(v_beside) and value <> 'null'
                ),
                '{}'
            );
        end if;
    end if;

    if jsonb_typeof(v_call) is distinct from 'object' then
        return '{}';
    end if;

    return coalesce(
        (
            select jsonb_object_agg(key, value)
            from jsonb_each(v_call)
            where key = any(v_kept) and jsonb_typeof(value) in ('string', 'number') and length(value::text) <= 300
        ),
        '{}'
    ) || jsonb_build_object(
        'metadata',
        jsonb_strip_nulls(
            jsonb_build_object(
                'org_id',
                left(
                    coalesce(
                        v_call #>> '{metadata,org_id}',
                        v_call #>> '{assistantOverrides,metadata,org_id}',
                        v_call #>> '{assistant,metadata,org_id}'
                    ),
                    300
                ),
                'call_id',
                left(
                    coalesce(
                        v_call #>> '{metadata,call_id}',
                        v_call #>> '{assistantOverrides,metadata,call_id}',
                        v_call #>> '{assistant,metadata,call_id}'
                    ),
                    300
                )
            )
        )
    );
end;
$$;

revoke all on function wallet.strip_call_report(jsonb) from public;

comment on function wallet.strip_call_report(jsonb) is
'Internal: the Call object with only what read_call_report reads of a Call object or of an end-of-call-report message: nothing that was said, no phone number of a customer. Never raises: what is not a report gives an object without an id.';
