-- Messages and Twilio's callbacks as the tests need them. Included with \ir after support.sql.

create function pg_temp.callback(p_sid text, p_status text, p_more jsonb default '{}') returns jsonb
language sql immutable
return jsonb_build_object('MessageSid', p_sid, 'MessageStatus', p_status) || p_more;

-- What the callback's URL names.
create function pg_temp.names(p_name text, p_message_id text) returns jsonb
language sql immutable
return jsonb_build_object('org_id', pg_temp.org(p_name), 'message_id', p_message_id);

create function pg_temp.tell(p_sid text, p_status text, p_more jsonb default '{}') returns text
language sql
as $$
    select wallet.record_sms_status(pg_temp.callback(p_sid, p_status, p_more)) ->> 'outcome'
$$;

-- What is left of a message: its Twilio id, its status, and whether its charge was given back.
create function pg_temp.sms(p_name text, p_message_id text) returns text
language sql stable
return (
    select format(
        '%s %s%s', coalesce(twilio_sid, '-'), coalesce(status::text, '-'),
        case when refund_transaction_id is not null then ' given back' end
    )
    from wallet.sms_messages
    where org_id = pg_temp.org(p_name) and message_id = p_message_id
);

-- Another price per segment than the general one, in pence.
create function pg_temp.set_own_price(p_name text, p_service text, p_unit text, p_pence numeric) returns void
language sql
as $$
    insert into wallet.prices (org_id, service, unit, unit_price, currency)
    values (pg_temp.org(p_name), p_service, p_unit, p_pence, 'gbp')
$$;
