-- What another session is delivering right now has its row locked, and finds the credit by itself.
create or replace function wallet.apply_parked_events(p_payment_intent_id text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_event jsonb;
begin
    for v_event in
        select event_data
        from wallet.processed_stripe_webhooks
        where status = 'pending' and event_data #>> '{data,object,payment_intent}' = p_payment_intent_id
        order by received_at, event_id
        for no key update skip locked
    loop
        perform wallet.process_stripe_event(v_event);
    end loop;
end;
$$;

revoke all on function wallet.apply_parked_events(text) from public;

comment on function wallet.apply_parked_events(text) is
'Internal: processes what came before the credit of this payment: refunds, disputes, warnings. The caller holds the payment intent''s lock.';
