create or replace function wallet.resolve_stripe_event(p_event_id text, p_actor text, p_note text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_status text;
begin
    perform wallet.require_text('p_event_id', p_event_id);
    perform wallet.require_text('p_actor', p_actor);
    perform wallet.require_text('p_note', p_note);

    select status into v_status
    from wallet.processed_stripe_webhooks
    where event_id = p_event_id
    for no key update;

    if not found then
        return wallet.refuse_unknown_event(p_event_id);
    elsif v_status not in ('failed', 'resolved') then
        return wallet.refuse(
            'event_not_failed',
            format('Event %s is %s; only a failed one can be settled by hand.', p_event_id, v_status),
            jsonb_build_object('event_id', p_event_id, 'status', v_status)
        );
    end if;

    update wallet.processed_stripe_webhooks
    set status = 'resolved', resolved_by = p_actor, resolution = p_note, processed_at = clock_timestamp()
    where event_id = p_event_id and status = 'failed';

    return jsonb_build_object('success', true, 'duplicate', v_status = 'resolved', 'event_id', p_event_id);
end;
$$;

revoke all on function wallet.resolve_stripe_event(text, text, text) from public;
grant execute on function wallet.resolve_stripe_event(text, text, text) to service_role;

comment on function wallet.resolve_stripe_event(text, text, text) is
'Closes a failed event that a person has settled by other means, with who and how; it is never applied then, however often it is delivered. Locks the event''s row. Refuses event_not_found, event_not_failed; raises WL001, WL005.';
