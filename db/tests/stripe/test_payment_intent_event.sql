begin;
select plan(10);
\ir ../support.sql
\ir events.sql

select pg_temp.answers(
    wallet.payment_intent_event(jsonb_build_object('id', 'pi_1', 'livemode', true, 'status', status)),
    jsonb_build_object('id', format('reconciled:%s:pi_1', type), 'type', type, 'livemode', true),
    format('a payment intent that %s is told as %s', status, type)
)
from (
    values
    ('succeeded', 'payment_intent.succeeded'),
    ('requires_payment_method', 'payment_intent.payment_failed'),
    ('requires_action', 'payment_intent.requires_action'),
    ('canceled', 'payment_intent.canceled'),
    ('processing', 'payment_intent.processing'),
    ('requires_confirmation', 'payment_intent.processing'),
    ('requires_capture', 'payment_intent.processing')
) as intent (status, type);

-- It goes the way of an event, whichever account counts.
do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.configure_stripe(false, 'test', 'acct_1');
end $$;
select pg_temp.answers(
    wallet.process_stripe_event(wallet.payment_intent_event(pg_temp.intent('acme', '{"livemode": false}'))),
    '{"success": true, "outcome": "processed", "balance_after": 5000}',
    'one that was asked for is credited'
);
select pg_temp.answers(
    wallet.process_stripe_event(wallet.payment_intent_event(pg_temp.intent('acme', '{"livemode": false}'))),
    '{"success": true, "outcome": "duplicate"}',
    'asked for again, it is a duplicate'
);
select pg_temp.answers(
    wallet.process_stripe_event(
        pg_temp.event(
            'evt_1', 'payment_intent.succeeded', pg_temp.intent('acme'), '{"livemode": false, "account": "acct_1"}'
        )
    ),
    '{"success": true, "outcome": "processed", "duplicate": true, "balance_after": 5000}',
    'and its real event credits nothing more'
);

select * from finish();
rollback;
