begin;
select plan(36);
\ir ../support.sql
\ir ../stripe/events.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

create function pg_temp.missing(p_changes jsonb) returns text
language sql
return array_to_string(wallet.missing_payment_events(pg_temp.intent('acme', p_changes)), ' ');

create temporary table state (payment_intent jsonb, event_type text);
insert into state
values
('{"status": "succeeded"}', 'payment_intent.succeeded'),
('{"status": "canceled"}', 'payment_intent.canceled'),
('{"status": "processing"}', 'payment_intent.processing'),
('{"status": "requires_action"}', 'payment_intent.requires_action'),
(
    '{"status": "requires_payment_method", "last_payment_error": {"code": "card_declined"}}',
    'payment_intent.payment_failed'
);

select is(pg_temp.missing(payment_intent), event_type, format('%s: nothing is known of it', payment_intent)) from state;

-- With a top-up that has come so far.
insert into wallet.topups (org_id, kind, status, amount_pence, currency, stripe_payment_intent_id, idempotency_key)
select pg_temp.org('acme'), 'wallet_topup', status, 5000, 'gbp', 'pi_' || status, 'topup:pi_' || status
from unnest(array['pending', 'failed', 'expired', 'canceled', 'paid']) as status;

select is(
    pg_temp.missing(s.payment_intent || jsonb_build_object('id', 'pi_' || status)),
    case when status = any(known.enough) then '' else s.event_type end,
    format('%s, and the top-up is %s', s.payment_intent ->> 'status', status)
)
from state as s
inner join (
    values
    ('payment_intent.succeeded', array['paid']),
    ('payment_intent.canceled', array['canceled', 'paid']),
    ('payment_intent.processing', array['pending', 'failed', 'expired', 'canceled', 'paid']),
    ('payment_intent.requires_action', array['pending', 'failed', 'expired', 'canceled', 'paid']),
    ('payment_intent.payment_failed', array['failed', 'expired', 'canceled', 'paid'])
) as known (event_type, enough) on s.event_type = known.event_type
cross join unnest(array['pending', 'failed', 'expired', 'canceled', 'paid']) as status;

-- Nothing to tell.
select is(pg_temp.missing(payment_intent), '', format('%s tells nothing', payment_intent))
from (
    values
    ('{"status": "requires_payment_method"}'::jsonb),
    ('{"status": "requires_payment_method", "last_payment_error": null}'),
    ('{"status": "requires_confirmation"}'),
    ('{"status": "requires_capture"}'),
    ('{"metadata": {"type": "subscription"}}'),
    ('{"metadata": {}}')
) as told (payment_intent);

select * from finish();
rollback;
