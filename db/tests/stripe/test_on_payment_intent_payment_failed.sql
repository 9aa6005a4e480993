begin;
select plan(9);
\ir ../support.sql
\ir events.sql

-- The payment intent as this event shows it.
create function pg_temp.news(p_name text, p_id text) returns jsonb
language sql
return pg_temp.intent(
    p_name,
    jsonb_build_object('id', p_id, 'amount_received', 0) || '{
        "status": "requires_payment_method",
        "last_payment_error": {"code": "card_declined", "message": "Your card was declined."}
    }'
);

do $$ begin perform pg_temp.open_wallet('acme', 100); end $$;

select pg_temp.answers(
    pg_temp.deliver('evt_1', 'payment_intent.payment_failed', pg_temp.news('acme', 'pi_1')),
    '{"success": true, "outcome": "processed"}',
    'an attempt that was declined is noted'
);
select is(pg_temp.payments('acme'), 'balance 100, credits 1, top-ups failed', 'no money moves');
select pg_temp.answers(
    to_jsonb(t),
    '{"stripe_payment_intent_id": "pi_1", "currency": "gbp", "last_error": "Your card was declined."}',
    'with the reason that Stripe gives'
)
from wallet.topups as t
where org_id = pg_temp.org('acme');
select is(stripe_default_pm_id, null, 'a card that was declined is not kept for later')
from wallet.organizations where id = pg_temp.org('acme');
select pg_temp.answers(
    pg_temp.deliver('evt_2', 'payment_intent.succeeded', pg_temp.intent('acme')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5100}',
    'the payment, once it succeeds, is credited'
);
select is(stripe_default_pm_id, 'pm_1', 'and its card kept')
from wallet.organizations where id = pg_temp.org('acme');

do $$
begin
    perform pg_temp.open_wallet('globex');
    perform pg_temp.deliver('evt_3', 'payment_intent.succeeded', pg_temp.intent('globex', '{"id": "pi_2"}'));
end $$;
create temporary table paid as
select to_jsonb(t) - 'updated_at' as topup from wallet.topups as t where org_id = pg_temp.org('globex');
select pg_temp.answers(
    pg_temp.deliver('evt_4', 'payment_intent.payment_failed', pg_temp.news('globex', 'pi_2')),
    '{"success": true, "outcome": "processed"}',
    'the same news after the success is old'
);
select is(to_jsonb(t) - 'updated_at', topup, 'and changes nothing about the paid top-up')
from paid, wallet.topups as t
where org_id = pg_temp.org('globex');
select pg_temp.books_are_right();

select * from finish();
rollback;
