-- The one way in for money from Stripe. The event's row is locked first, then the organization's.
-- Row and effect commit together; an event counts as seen once it is applied, not when it arrives.
create or replace function wallet.process_stripe_event(p_event jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '3s'
as $$
declare
    v_id constant text := p_event ->> 'id';
    v_type constant text := p_event ->> 'type';
    v_status text;
    v_attempts integer;
    v_answer jsonb;
    v_message text;
    v_error text;
    v_org_id uuid := coalesce(
        wallet.parse_uuid(p_event #>> '{data,object,client_reference_id}'),
        wallet.parse_uuid(p_event #>> '{data,object,metadata,org_id}')
    );
begin
    if jsonb_typeof(p_event) is distinct from 'object' then
        perform wallet.raise_misuse('WL010', 'event', 'must be a JSON object');
    elsif jsonb_typeof(p_event -> 'id') is distinct from 'string' or length(v_id) > 255 or v_id ~ '^$|\s' then
        perform wallet.raise_misuse('WL010', 'id', 'must be the id of an event, evt_…');
    elsif jsonb_typeof(p_event -> 'type') is distinct from 'string' or length(v_type) > 255 or v_type ~ '^$|\s' then
        perform wallet.raise_misuse('WL010', 'type', 'must be the type of an event');
    elsif jsonb_typeof(p_event -> 'livemode') is distinct from 'boolean' then
        perform wallet.raise_misuse('WL010', 'livemode', 'must be true or false');
    elsif jsonb_typeof(p_event #> '{data,object}') is distinct from 'object' then
        perform wallet.raise_misuse('WL010', 'data.object', 'must be a JSON object');
    end if;

    -- Failed until it is applied. A second delivery waits here for the first to end.
    insert into wallet.processed_stripe_webhooks as w (event_id, event_type, status, error_code, error_message, event_data)
    values (v_id, v_type, 'failed', 'not_applied', 'The event is being applied.', p_event)
    on conflict (event_id) do update set attempts = w.attempts + 1
    returning w.status, w.attempts into v_status, v_attempts;

    if v_status in ('processed', 'resolved') then
        return jsonb_build_object(
            'success', true,
            'outcome', 'duplicate',
            'duplicate', true,
            'event_id', v_id,
            'event_type', v_type,
            'org_id', v_org_id
        );
    end if;

    begin
        v_answer := wallet.apply_stripe_event(p_event);
    exception
        when sqlstate 'WL010' then
            raise;
        when sqlstate 'WL011' then
            get stacked diagnostics v_message = message_text, v_error = pg_exception_detail;
            v_answer := wallet.refuse(v_error, v_message, '{"outcome": "failed"}');
        when others then
            v_answer := wallet.refuse(
                'unexpected_error', format('%s (SQLSTATE %s)', sqlerrm, sqlstate), '{"outcome": "failed"}'
            );
    end;

    -- Refunds and the like don't name their organization; their payment does.
    v_org_id := coalesce(v_org_id, (v_answer ->> 'org_id')::uuid);

    update wallet.processed_stripe_webhooks
    set
        status = v_answer ->> 'outcome',
        org_id = case when v_answer ->> 'outcome' <> 'ignored' then v_org_id end,
        error_code = v_answer ->> 'error',
        error_message = v_answer ->> 'message',
        processed_at = case when v_answer ->> 'outcome' <> 'failed' then clock_timestamp() end
    where event_id = v_id;

    if v_answer ->> 'outcome' = 'failed' and (v_attempts = 1 or v_status <> 'failed') then
        perform wallet.emit_message(
            'event_failed',
            v_org_id,
            jsonb_build_object(
                'message', format('Event %s (%s) failed: %s', v_id, v_type, v_answer ->> 'message'),
                'event_id', v_id,
                'event_type', v_type,
                'error', v_answer -> 'error'
            )
        );
    end if;

    return v_answer || jsonb_build_object('event_id', v_id, 'event_type', v_type, 'org_id', v_org_id);
end;
$$;

revoke all on function wallet.process_stripe_event(jsonb) from public;
grant execute on function wallet.process_stripe_event(jsonb) to wallet_webhook, service_role;

comment on function wallet.process_stripe_event(jsonb) is
'Applies a Stripe event once, whatever the number and order of deliveries. outcome: processed, duplicate, ignored, pending, or failed, which is stored with its reason and applied on redelivery or replay. The caller has verified the signature. Locks the event''s row, then the payment intent, then the organization''s row, and waits at most 3 s for each. Raises WL010 for what is not an event; nothing is written then.';
