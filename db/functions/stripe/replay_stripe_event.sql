-- The HTTP service may call it: whoever may process any event gains nothing by one that is stored.
create or replace function wallet.replay_stripe_event(p_event_id text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_event jsonb;
begin
    perform wallet.require_text('p_event_id', p_event_id);

    select event_data into v_event from wallet.processed_stripe_webhooks where event_id = p_event_id;
    if not found then
        return wallet.refuse_unknown_event(p_event_id);
    end if;

    return wallet.process_stripe_event(v_event);
end;
$$;

revoke all on function wallet.replay_stripe_event(text) from public;
grant execute on function wallet.replay_stripe_event(text) to wallet_webhook, service_role;

comment on function wallet.replay_stripe_event(text) is
'Processes a stored Stripe event again, as if Stripe had redelivered it; one that was applied is a duplicate. Answers as process_stripe_event; refuses event_not_found; raises WL001, WL005.';
