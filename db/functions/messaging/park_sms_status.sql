create or replace function wallet.park_sms_status(
    p_twilio_sid text,
    p_status text,
    p_error_code text,
    p_org_id uuid,
    p_message_id text
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into wallet.sms_callbacks as c (twilio_sid, status, error_code, org_id, message_id)
    values (p_twilio_sid, p_status, p_error_code, p_org_id, p_message_id)
    on conflict (twilio_sid) do update
    set
        status = excluded.status,
        error_code = coalesce(excluded.error_code, c.error_code),
        org_id = coalesce(c.org_id, excluded.org_id),
        message_id = coalesce(c.message_id, excluded.message_id),
        updated_at = clock_timestamp()
    where wallet.is_later_sms_status(c.status, excluded.status);

    return jsonb_build_object(
        'success', true,
        'outcome', 'pending',
        'twilio_sid', p_twilio_sid,
        'status', p_status,
        'message', 'No charged message has this Twilio id yet; this is applied when one gets it.'
    );
end;
$$;

revoke all on function wallet.park_sms_status(text, text, text, uuid, text) from public;

comment on function wallet.park_sms_status(text, text, text, uuid, text) is
'Internal: keeps the status of a message that is not known yet; of several the one that is furthest. name_sms takes it up, by the Twilio id or by the message that the callback''s URL named. The caller holds the id''s lock, and that of the named organization.';
