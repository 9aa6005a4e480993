-- Billed, or kept with the reason, before Vapi gets its answer.
create or replace function wallet.record_call(p_report jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '3s'
as $$
declare
    v_message constant jsonb := coalesce(nullif(p_report -> 'message', 'null'), p_report);
    v_type constant text := v_message ->> 'type';
    v_report wallet.call_report;
    v_answer jsonb;
begin
    perform wallet.require_value('p_report', p_report);
    if jsonb_typeof(v_message) <> 'object' or jsonb_typeof(v_message -> 'type') is distinct from 'string' then
        perform wallet.raise_misuse('WL012', 'message.type', 'must be the type of a server message', v_type);
    elsif v_type not in ('end-of-call-report', 'inboundPhoneCall', 'outboundPhoneCall', 'webCall', 'vapi.websocketCall')
    then
        return jsonb_build_object(
            'success', true, 'outcome', 'ignored', 'message', format('Nothing is done on %s.', left(v_type, 100))
        );
    end if;

    v_report := wallet.read_call_report(p_report);
    if not v_report.ended then
        return jsonb_build_object(
            'success', true,
            'outcome', 'ignored',
            'vapi_call_id', v_report.vapi_call_id,
            'message', 'The call has not ended.'
        );
    end if;

    v_answer := wallet.bill_reported_call(v_report, 'webhook');

    if wallet.note_billing(v_report, 'webhook', v_answer) then
        perform wallet.emit_message(
            'call_unbilled',
            (v_answer ->> 'org_id')::uuid,
            jsonb_build_object(
                'message', format('Call %s could not be billed: %s', v_report.vapi_call_id, v_answer ->> 'message'),
                'calls', 1,
                'vapi_call_ids', jsonb_build_array(v_report.vapi_call_id),
                'error', v_answer -> 'error'
            )
        );
    end if;

    return v_answer || jsonb_build_object(
        'outcome',
        case
            when not (v_answer ->> 'success')::boolean then 'failed'
            when (v_answer ->> 'duplicate')::boolean then 'duplicate'
            else 'processed'
        end
    );
end;
$$;

revoke all on function wallet.record_call(jsonb) from public;
grant execute on function wallet.record_call(jsonb) to wallet_webhook, service_role;

comment on function wallet.record_call(jsonb) is
'Bills the call of Vapi''s end-of-call-report, or of a Call object that has ended, once, whoever told of it before. outcome: processed, duplicate, ignored (any other message), or failed: kept in unbilled_calls with error and message, told to the outbox the first time, and tried again on redelivery, by reconciliation and by replay_unbilled_calls. The caller has verified the secret. Locks the organization''s row, then the unbilled call''s, and waits at most 3 s for each. Raises WL001, and WL012 for what is no usable report; nothing is written then.';
