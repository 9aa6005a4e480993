create or replace function wallet.attach_sms_sid(p_org_id uuid, p_message_id text, p_twilio_sid text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message wallet.sms_messages;
    v_is_duplicate boolean;
    v_conflict jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_message_id', p_message_id);
    perform wallet.require_text('p_twilio_sid', p_twilio_sid);

    perform wallet.lock_sms(p_twilio_sid);
    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_message
    from wallet.sms_messages
    where org_id = p_org_id and message_id = p_message_id;
    if not found then
        return wallet.refuse(
            'message_not_charged',
            format('Message %s has not been charged.', p_message_id),
            jsonb_build_object('org_id', p_org_id, 'message_id', p_message_id)
        );
    end if;
    v_is_duplicate := v_message.twilio_sid is not null;

    v_conflict := wallet.find_sms_sid_conflict(p_org_id, p_message_id, p_twilio_sid);
    if v_conflict is not null then
        return v_conflict;
    end if;

    perform wallet.name_sms(p_org_id, p_message_id, p_twilio_sid);

    select * into strict v_message
    from wallet.sms_messages
    where org_id = p_org_id and message_id = p_message_id;

    return jsonb_build_object('success', true, 'duplicate', v_is_duplicate) || wallet.answer_sms(v_message);
end;
$$;

revoke all on function wallet.attach_sms_sid(uuid, text, text) from public;
grant execute on function wallet.attach_sms_sid(uuid, text, text) to service_role;

comment on function wallet.attach_sms_sid(uuid, text, text) is
'Gives a charged message the id that Twilio has for it, and applies what Twilio told of it before. Locks the Twilio id, then the organization''s row. Refuses organization_not_found, message_not_charged, idempotency_conflict (another Twilio id, or another message''s); raises WL001, WL005.';
