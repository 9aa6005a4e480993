-- What is neither paid nor over is told as processing: money may still move.
create or replace function wallet.payment_intent_event(p_intent jsonb)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'id', format('reconciled:%s:%s', e.type, p_intent ->> 'id'),
        'object', 'event',
        'type', e.type,
        'account', (select account from wallet.stripe_settings),
        'livemode', p_intent -> 'livemode',
        'data', jsonb_build_object('object', p_intent)
    )
    from (
        select
            case p_intent ->> 'status'
                when 'succeeded' then 'payment_intent.succeeded'
                when 'requires_payment_method' then 'payment_intent.payment_failed'
                when 'requires_action' then 'payment_intent.requires_action'
                when 'canceled' then 'payment_intent.canceled'
                else 'payment_intent.processing'
            end as type
    ) as e
$$;

revoke all on function wallet.payment_intent_event(jsonb) from public;

comment on function wallet.payment_intent_event(jsonb) is
'Internal: the event that would announce the present status of a payment intent, for one that was asked for instead of told. Its id is the same each time.';
