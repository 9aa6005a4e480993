create or replace function wallet.replay_messages(p_actor text, p_message_id uuid default null)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_replayed integer;
begin
    perform wallet.require_text('p_actor', p_actor);

    if p_message_id is not null and not exists (select from wallet.outbox_messages where id = p_message_id) then
        return wallet.refuse(
            'message_not_found',
            format('There is no message %s.', p_message_id),
            jsonb_build_object('message_id', p_message_id)
        );
    end if;

    update wallet.outbox_messages
    set status = 'pending', attempts = 0, next_try_at = now(), replayed_by = p_actor
    where status = 'dead' and (p_message_id is null or id = p_message_id);
    get diagnostics v_replayed = row_count;

    perform pg_notify('pgwallet_outbox', '');
    return jsonb_build_object('success', true, 'replayed', v_replayed);
end;
$$;

revoke all on function wallet.replay_messages(text, uuid) from public;
grant execute on function wallet.replay_messages(text, uuid) to service_role;

comment on function wallet.replay_messages(text, uuid) is
'Makes one dead message, or all of them, pending again, with 24 attempts more; channels that have a message don''t get it again. replayed says how many there were; one that isn''t dead stays as it is. Recorded with its actor. Refuses message_not_found; raises WL001, WL005.';
