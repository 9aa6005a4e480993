-- Two messages under one Twilio id, or two ids of one message, would give one's charge back for the
-- other's failure.
create or replace function wallet.find_sms_sid_conflict(p_org_id uuid, p_message_id text, p_twilio_sid text)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message wallet.sms_messages;
begin
    select * into v_message
    from wallet.sms_messages
    where twilio_sid = p_twilio_sid and (org_id, message_id) <> (p_org_id, p_message_id)
    limit 1;
    if found then
        return wallet.refuse(
            'idempotency_conflict',
            format('Twilio''s message %s stands for another message than %s.', p_twilio_sid, p_message_id),
            jsonb_build_object(
                'twilio_sid', p_twilio_sid,
                'original_org_id', v_message.org_id,
                'original_message_id', v_message.message_id,
                'attempted_message_id', p_message_id
            )
        );
    end if;

    select * into v_message
    from wallet.sms_messages
    where org_id = p_org_id and message_id = p_message_id and twilio_sid <> p_twilio_sid;
    if found then
        return wallet.refuse(
            'idempotency_conflict',
            format('Message %s is another one of Twilio''s than %s.', p_message_id, p_twilio_sid),
            jsonb_build_object(
                'message_id', p_message_id,
                'original_twilio_sid', v_message.twilio_sid,
                'attempted_twilio_sid', p_twilio_sid
            )
        );
    end if;

    return null;
end;
$$;

revoke all on function wallet.find_sms_sid_conflict(uuid, text, text) from public;

comment on function wallet.find_sms_sid_conflict(uuid, text, text) is
'Internal: the refusal idempotency_conflict when a Twilio id can''t be this message''s; null when it can. The caller holds the id''s lock and the organization''s.';
