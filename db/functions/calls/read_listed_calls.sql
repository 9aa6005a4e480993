create or replace function wallet.read_listed_calls(p_calls jsonb)
returns table (report wallet.call_report, problem jsonb)
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_call jsonb;
    v_message text;
begin
    for v_call in select c from jsonb_array_elements(p_calls) as c loop
        begin
            report := wallet.read_call_report(v_call);
            problem := null;
        exception
            when sqlstate 'WL012' then
                get stacked diagnostics v_message = message_text;
                report := null;
                problem := jsonb_build_object(
                    'vapi_call_id', left(v_call ->> 'id', 255), 'error', 'unusable_report', 'message', v_message
                );
        end;
        return next;
    end loop;
end;
$$;

revoke all on function wallet.read_listed_calls(jsonb) from public;

comment on function wallet.read_listed_calls(jsonb) is
'Internal: each call of a list as read_call_report reads it, or the problem {vapi_call_id, error: unusable_report, message} that it has with it.';
