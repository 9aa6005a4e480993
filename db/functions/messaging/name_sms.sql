create or replace function wallet.name_sms(p_org_id uuid, p_message_id text, p_twilio_sid text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sid text;
    v_parked wallet.sms_callbacks;
begin
    update wallet.sms_messages
    set twilio_sid = p_twilio_sid, updated_at = clock_timestamp()
    where org_id = p_org_id and message_id = p_message_id and twilio_sid is null and p_twilio_sid is not null;

    select twilio_sid into strict v_sid
    from wallet.sms_messages
    where org_id = p_org_id and message_id = p_message_id;

    if v_sid is null then
        select twilio_sid into v_sid
        from wallet.sms_callbacks
        where org_id = p_org_id and message_id = p_message_id
        order by received_at, twilio_sid
        limit 1;
    end if;

    delete from wallet.sms_callbacks
    where twilio_sid = v_sid
    returning * into v_parked;

    if found then
        perform wallet.apply_sms_status(p_org_id, p_message_id, v_parked.status, v_parked.error_code);
    end if;
end;
$$;

revoke all on function wallet.name_sms(uuid, text, text) from public;

comment on function wallet.name_sms(uuid, text, text) is
'Internal: gives a charged message its Twilio id, null when it isn''t known yet, and applies the status that came before, for that id or for the message that its URL named. The caller holds the id''s lock, if any, and the organization''s, and has found no conflict.';
