create or replace function wallet.stripe_event_types()
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select array[
        'checkout.session.completed',
        'checkout.session.async_payment_succeeded',
        'checkout.session.async_payment_failed',
        'checkout.session.expired',
        'payment_intent.succeeded',
        'payment_intent.payment_failed',
        'payment_intent.canceled',
        'payment_intent.processing',
        'payment_intent.requires_action',
        'refund.created',
        'refund.updated',
        'refund.failed',
        'charge.refunded',
        'charge.dispute.created',
        'charge.dispute.funds_withdrawn',
        'charge.dispute.funds_reinstated',
        'charge.dispute.closed',
        'radar.early_fraud_warning.created',
        'payment_method.attached',
        'payment_method.automatically_updated',
        'payment_method.detached'
    ]
$$;

revoke all on function wallet.stripe_event_types() from public;
grant execute on function wallet.stripe_event_types() to service_role;

comment on function wallet.stripe_event_types() is
'The types of Stripe events that apply_stripe_event handles: what an endpoint is subscribed to, and what a backfill asks for.';
