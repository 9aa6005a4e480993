create or replace function wallet.charge_sms(
    p_org_id uuid,
    p_message_id text,
    p_segments integer default 1,
    p_twilio_sid text default null,
    p_description text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message wallet.sms_messages;
    v_is_new boolean;
    v_price jsonb;
    v_answer jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_message_id', p_message_id);
    perform wallet.require_quantity('p_segments', p_segments, 1);
    if p_twilio_sid is not null then
        perform wallet.require_text('p_twilio_sid', p_twilio_sid);
        perform wallet.lock_sms(p_twilio_sid);
    end if;

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_message
    from wallet.sms_messages
    where org_id = p_org_id and message_id = p_message_id;
    v_is_new := not found;

    if v_message.segments <> p_segments then
        return wallet.refuse(
            'idempotency_conflict',
            format('Message %s was charged with another number of segments.', p_message_id),
            jsonb_build_object(
                'message_id', p_message_id,
                'original_segments', v_message.segments,
                'attempted_segments', p_segments,
                'original_amount_pence', v_message.price_pence
            )
        );
    end if;
    v_answer := wallet.find_sms_sid_conflict(p_org_id, p_message_id, p_twilio_sid);
    if v_answer is not null then
        return v_answer;
    end if;

    -- A replay is answered at the price of its time.
    v_price := jsonb_build_object('amount_pence', v_message.price_pence);
    if v_is_new then
        v_price := wallet.price_usage(p_org_id, 'sms', p_segments, now());
        if v_price ? 'error' then
            return v_price;
        end if;
    end if;

    if v_price -> 'amount_pence' = '0' then
        v_answer := jsonb_build_object(
            'success', true, 'duplicate', not v_is_new, 'amount_pence', 0, 'transaction_id', null
        );
    else
        v_answer := wallet.post_transaction(
            p_org_id => p_org_id,
            p_type => 'sms_deduction',
            p_direction => 'debit',
            p_amount_pence => (v_price ->> 'amount_pence')::bigint,
            p_idempotency_key => 'sms:' || p_message_id,
            p_overdraft => 'debt_limit',
            p_created_by => 'system',
            p_description => p_description,
            p_cost_breakdown => v_price -> 'breakdown'
        );
        if v_answer ? 'error' then
            return v_answer;
        end if;
    end if;

    if v_is_new then
        insert into wallet.sms_messages (
            org_id, message_id, twilio_sid, segments, price_pence, cost_breakdown, transaction_id
        )
        values (
            p_org_id,
            p_message_id,
            p_twilio_sid,
            p_segments,
            (v_price ->> 'amount_pence')::bigint,
            v_price -> 'breakdown',
            (v_answer ->> 'transaction_id')::uuid
        );
    end if;
    perform wallet.name_sms(p_org_id, p_message_id, p_twilio_sid);

    select * into strict v_message
    from wallet.sms_messages
    where org_id = p_org_id and message_id = p_message_id;

    return v_answer || wallet.answer_sms(v_message);
end;
$$;

revoke all on function wallet.charge_sms(uuid, text, integer, text, text) from public;
grant execute on function wallet.charge_sms(uuid, text, integer, text, text) to service_role;

comment on function wallet.charge_sms(uuid, text, integer, text, text) is
'Charges an SMS at the price of its segments (1 or more) once per message id, down to minus the debt limit, and applies what Twilio told of it before. Locks the Twilio id, then the organization''s row. Refuses organization_not_found, price_not_found, exchange_rate_not_found, wallet_frozen, debt_limit_exceeded, idempotency_conflict (other segments, another Twilio id); raises WL001, WL002, WL005, WL009.';
