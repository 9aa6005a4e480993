-- www.twilio.com/docs/messaging/api/message-resource lists them; partially_delivered, receiving and
-- received are not of single messages that go out.
create or replace function wallet.sms_statuses()
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select array[
        'accepted', 'scheduled', 'queued', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'canceled', 'read'
    ]
$$;

revoke all on function wallet.sms_statuses() from public;

comment on function wallet.sms_statuses() is
'Internal: Twilio''s statuses of an SMS that goes out, in the order in which it can have them. The last five are final; of these only read can follow another, delivered.';
