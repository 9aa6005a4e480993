begin;
select plan(37);
\ir ../support.sql
\ir events.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.pay('globex');
end $$;

-- What an event of each type does to a wallet, and the code of the one that fails.
create function pg_temp.applied(p_type text, p_object jsonb, p_name text default 'acme') returns text
language plpgsql
as $$
declare
    v_said text;
begin
    v_said := wallet.apply_stripe_event(pg_temp.event('evt_1', p_type, p_object)) ->> 'outcome';
    raise exception using errcode = 'T0001', detail = v_said || ', ' || pg_temp.payments(p_name);
exception
    when sqlstate 'T0001' or sqlstate 'WL011' then
        get stacked diagnostics v_said = pg_exception_detail;
        return v_said;
end;
$$;

select is(
    pg_temp.applied(type, coalesce(pg_temp.object_of(type, 'acme'), '{"id": "x_1"}')), applied,
    format('%s: %s', type, applied)
)
from (
    values
    ('checkout.session.completed', 'processed, balance 5000, credits 1, top-ups paid'),
    ('checkout.session.async_payment_succeeded', 'processed, balance 5000, credits 1, top-ups paid'),
    ('checkout.session.async_payment_failed', 'processed, balance 0, credits 0, top-ups failed'),
    ('checkout.session.expired', 'processed, balance 0, credits 0, top-ups expired'),
    ('payment_intent.succeeded', 'processed, balance 5000, credits 1, top-ups paid'),
    ('payment_intent.payment_failed', 'processed, balance 0, credits 0, top-ups failed'),
    ('payment_intent.canceled', 'processed, balance 0, credits 0, top-ups canceled'),
    ('payment_intent.processing', 'pending, balance 0, credits 0, top-ups pending'),
    ('payment_intent.requires_action', 'pending, balance 0, credits 0, top-ups pending'),
    ('payment_intent.created', 'ignored, balance 0, credits 0, top-ups none'),
    ('payment_intent.partially_funded', 'ignored, balance 0, credits 0, top-ups none'),
    ('charge.succeeded', 'ignored, balance 0, credits 0, top-ups none'),
    ('charge.refund.updated', 'ignored, balance 0, credits 0, top-ups none'),
    ('charge.dispute.updated', 'ignored, balance 0, credits 0, top-ups none'),
    ('customer.deleted', 'ignored, balance 0, credits 0, top-ups none'),
    ('refund.created', 'pending, balance 0, credits 0, top-ups none'),
    ('charge.refunded', 'pending, balance 0, credits 0, top-ups none'),
    ('charge.dispute.created', 'pending, balance 0, credits 0, top-ups none'),
    ('radar.early_fraud_warning.created', 'pending, balance 0, credits 0, top-ups none')
) as handled (type, applied);

-- Of a payment that was credited.
select is(
    pg_temp.applied(type, pg_temp.object_of(type, 'globex'), 'globex'), applied,
    format('%s of a credited payment: %s', type, applied)
)
from (
    values
    ('refund.created', 'processed, balance 4000, credits 1, top-ups paid'),
    ('refund.updated', 'processed, balance 4000, credits 1, top-ups paid'),
    ('refund.failed', 'processed, balance 4000, credits 1, top-ups paid'),
    ('charge.refunded', 'processed, balance 4000, credits 1, top-ups paid'),
    ('charge.dispute.created', 'processed, balance 5000, credits 1, top-ups paid'),
    ('charge.dispute.funds_withdrawn', 'processed, balance 0, credits 1, top-ups paid'),
    ('charge.dispute.funds_reinstated', 'processed, balance 5000, credits 1, top-ups paid'),
    ('charge.dispute.closed', 'processed, balance 5000, credits 1, top-ups paid'),
    ('radar.early_fraud_warning.created', 'processed, balance 5000, credits 1, top-ups paid'),
    ('payment_method.attached', 'processed, balance 5000, credits 1, top-ups paid'),
    ('payment_method.automatically_updated', 'processed, balance 5000, credits 1, top-ups paid'),
    ('payment_method.detached', 'processed, balance 5000, credits 1, top-ups paid')
) as handled (type, applied);

select is(
    pg_temp.applied(type, pg_temp.session() - 'metadata' - 'client_reference_id'),
    'ignored, balance 0, credits 0, top-ups none',
    format('%s without our metadata is none of our business', type)
)
from unnest(array['checkout.session.completed', 'checkout.session.expired', 'payment_intent.succeeded']) as type;
select is(
    pg_temp.applied('checkout.session.completed', pg_temp.session('nobody')), 'organization_not_found',
    'a payment for an organization without a wallet fails'
);
select is(
    pg_temp.applied(
        'payment_intent.succeeded', pg_temp.intent('acme', '{"metadata": {"type": "wallet_topup"}}')
    ),
    'organization_missing',
    'a payment for nobody fails'
);
select pg_temp.raises(
    $$
        select wallet.apply_stripe_event(
            pg_temp.event('evt_1', 'payment_intent.succeeded', pg_temp.intent('acme', '{"amount_received": null}'))
        )
    $$,
    'WL010', 'amount_received', 'a malformed payment is no event'
);

select * from finish();
rollback;
