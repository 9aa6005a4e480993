-- Fields as Twilio posts them: www.twilio.com/docs/messaging/guides/track-outbound-message-status;
-- that they may come in any order: .../guides/outbound-message-logging. org_id and message_id are of
-- the callback's URL, so Twilio's signature covers them. The caller has verified it.
create or replace function wallet.record_sms_status(p_callback jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '3s'
as $$
declare
    v_sid constant text := wallet.read_sms_callback(p_callback, 'MessageSid');
    v_status constant text := wallet.read_sms_callback(p_callback, 'MessageStatus');
    v_error_code constant text := wallet.read_sms_callback(p_callback, 'ErrorCode');
    v_org_id constant uuid := wallet.parse_uuid(wallet.read_sms_callback(p_callback, 'org_id'));
    v_message_id constant text := wallet.read_sms_callback(p_callback, 'message_id');
    v_message wallet.sms_messages;
begin
    if jsonb_typeof(p_callback) is distinct from 'object' then
        perform wallet.raise_misuse('WL013', 'callback', 'must be a JSON object');
    elsif v_sid is null then
        perform wallet.raise_misuse('WL013', 'MessageSid', 'is required');
    elsif v_status is null then
        perform wallet.raise_misuse('WL013', 'MessageStatus', 'is required');
    elsif v_org_id is null and wallet.read_sms_callback(p_callback, 'org_id') is not null then
        perform wallet.raise_misuse('WL013', 'org_id', 'must be a UUID', p_callback ->> 'org_id');
    elsif v_org_id is null and v_message_id is not null then
        perform wallet.raise_misuse('WL013', 'org_id', 'is required with message_id');
    elsif v_message_id is null and v_org_id is not null then
        perform wallet.raise_misuse('WL013', 'message_id', 'is required with org_id');
    end if;

    if v_status <> all (wallet.sms_statuses()) then
        return jsonb_build_object(
            'success', true,
            'outcome', 'ignored',
            'twilio_sid', v_sid,
            'status', v_status,
            'message', 'This is no status of a message that goes out.'
        );
    end if;

    -- An id that a message has is its for good. One that none has may be just about to be given.
    select * into v_message from wallet.sms_messages where twilio_sid = v_sid;
    if not found then
        perform wallet.lock_sms(v_sid);
        select * into v_message from wallet.sms_messages where twilio_sid = v_sid;
    end if;

    -- A charge of the message that the URL names ends before this goes on.
    perform from wallet.organizations where id = coalesce(v_message.org_id, v_org_id) for no key update;
    if v_message.twilio_sid is null then
        select * into v_message
        from wallet.sms_messages
        where org_id = v_org_id and message_id = v_message_id and twilio_sid is null;
        if not found then
            return wallet.park_sms_status(v_sid, v_status, v_error_code, v_org_id, v_message_id);
        end if;
        perform wallet.name_sms(v_message.org_id, v_message.message_id, v_sid);
    end if;

    return wallet.apply_sms_status(v_message.org_id, v_message.message_id, v_status, v_error_code);
end;
$$;

revoke all on function wallet.record_sms_status(jsonb) from public;
grant execute on function wallet.record_sms_status(jsonb) to wallet_webhook, service_role;

comment on function wallet.record_sms_status(jsonb) is
'Applies a status callback of Twilio''s, whatever the number and order of deliveries: MessageSid, MessageStatus, ErrorCode if any, and org_id with message_id if the callback''s URL names them. outcome: processed, duplicate, ignored (an older or an unknown status), pending (no such message is known yet: applied when it is), or failed with the refusal of the give-back. A message that ends undelivered, failed or canceled gives its charge back once. Locks a Twilio id that is new, then the organization''s row, and waits at most 3 s for each. Raises WL013 for what is not a callback; nothing is written then.';
