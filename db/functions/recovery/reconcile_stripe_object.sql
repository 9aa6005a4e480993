-- Some events are never made, or are gone after 30 days; the object itself still tells its state. An
-- event made up from it has an id of that state, so telling it again is a duplicate, and a later state
-- is a new event.
create or replace function wallet.reconcile_stripe_object(p_object jsonb, p_livemode boolean)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind constant text := wallet.require_text('p_object.object', p_object ->> 'object');
    v_id constant text := wallet.require_text('p_object.id', p_object ->> 'id');
    v_account constant text := (select account from wallet.stripe_settings);
    v_missing text[];
    v_type text;
    v_answers jsonb := '[]';
begin
    perform wallet.require_value('p_livemode', p_livemode);

    case v_kind
        when 'payment_intent' then
            v_missing := wallet.missing_payment_events(p_object);
        when 'refund' then
            v_missing := wallet.missing_refund_events(p_object);
        when 'dispute' then
            v_missing := wallet.missing_dispute_events(p_object);
        else
            perform wallet.raise_misuse(
                'WL006', 'p_object.object', 'must be payment_intent, refund or dispute', v_kind
            );
    end case;

    foreach v_type in array v_missing loop
        v_answers := v_answers || wallet.process_stripe_event(
            jsonb_build_object(
                'id', concat_ws(':', 'reconciled', v_type, v_id, p_object ->> 'status'),
                'object', 'event',
                'type', v_type,
                'account', v_account,
                'livemode', p_livemode,
                'created', floor(extract(epoch from now())),
                'data', jsonb_build_object('object', p_object)
            )
        );
    end loop;

    return jsonb_build_object('success', true, 'events', v_answers);
end;
$$;

revoke all on function wallet.reconcile_stripe_object(jsonb, boolean) from public;
grant execute on function wallet.reconcile_stripe_object(jsonb, boolean) to service_role;

comment on function wallet.reconcile_stripe_object(jsonb, boolean) is
'Applies what a payment intent, refund or dispute, as Stripe has it now, tells beyond what the wallet knows. events: an answer of process_stripe_event for each thing that was missing; empty when nothing was, or when it is no wallet payment. Raises WL001, WL005, WL006, WL010.';
