-- NOTIFY lets transactions commit only one after another. A payment must not wait for that, so news
-- of a top-up is found by polling.
create or replace function wallet.emit_message(p_topic text, p_org_id uuid, p_payload jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into wallet.outbox_messages (topic, org_id, payload) values (p_topic, p_org_id, p_payload);

    if p_topic <> 'topup_completed' then
        perform pg_notify('pgwallet_outbox', '');
    end if;
end;
$$;

revoke all on function wallet.emit_message(text, uuid, jsonb) from public;

comment on function wallet.emit_message(text, uuid, jsonb) is
'Internal: puts a message into the outbox, within the transaction that causes it. The payload holds the sentence for people under message, and the numbers behind it.';
