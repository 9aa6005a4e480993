-- A success counts whoever reports it. An error counts only from the worker that has the message: from one
-- whose lease was over it must not disturb what another has made of the message since.
create or replace function wallet.record_delivery(
    p_message_id uuid,
    p_worker text,
    p_delivered_to text[],
    p_error text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_max_attempts constant integer := 24;
    v_max_pause_seconds constant integer := 3600;
    v_message wallet.outbox_messages;
    v_delivered_to text[];
begin
    perform wallet.require_value('p_message_id', p_message_id);
    perform wallet.require_text('p_worker', p_worker);
    perform wallet.require_value('p_delivered_to', p_delivered_to);
    if p_error is not null then
        perform wallet.require_text('p_error', p_error);
    end if;

    select * into v_message
    from wallet.outbox_messages
    where id = p_message_id
    for no key update;

    if not found then
        return wallet.refuse(
            'message_not_found',
            format('There is no message %s.', p_message_id),
            jsonb_build_object('message_id', p_message_id)
        );
    end if;

    v_delivered_to := array(
        select distinct channel from unnest(v_message.delivered_to || p_delivered_to) as channel order by channel
    );

    if p_error is null then
        update wallet.outbox_messages
        set
            status = 'delivered',
            claimed_by = null,
            delivered_to = v_delivered_to,
            delivered_at = coalesce(delivered_at, now())
        where id = p_message_id
        returning * into v_message;
    elsif v_message.claimed_by = p_worker then
        update wallet.outbox_messages
        set
            status = case when attempts < v_max_attempts then 'pending' else 'dead' end,
            claimed_by = null,
            next_try_at = now() + make_interval(secs => least(power(2, attempts), v_max_pause_seconds)),
            delivered_to = v_delivered_to,
            last_error = p_error
        where id = p_message_id
        returning * into v_message;
    else
        update wallet.outbox_messages
        set delivered_to = v_delivered_to
        where id = p_message_id;
    end if;

    return jsonb_build_object(
        'success', true,
        'message_id', p_message_id,
        'status', v_message.status,
        'attempts', v_message.attempts,
        'next_try_at', case when v_message.status = 'pending' then v_message.next_try_at end
    );
end;
$$;

revoke all on function wallet.record_delivery(uuid, text, text[], text) from public;
grant execute on function wallet.record_delivery(uuid, text, text[], text) to wallet_worker, service_role;

comment on function wallet.record_delivery(uuid, text, text[], text) is
'Records what became of a claimed message: delivered where there was no error; otherwise due again after 2, 4, 8 seconds and so on, up to an hour, and dead after 24 attempts. p_delivered_to names the channels that have it. An error of a worker that lost the message changes nothing else. Locks the message''s row. Refuses message_not_found; raises WL001, WL005.';
