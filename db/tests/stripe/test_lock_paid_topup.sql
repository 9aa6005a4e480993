begin;
select plan(7);
\ir ../support.sql
\ir events.sql

do $$
begin
    perform pg_temp.pay('acme');
    perform pg_temp.open_wallet('globex');
    perform pg_temp.tell('payment_intent.processing', pg_temp.intent('globex', '{"id": "pi_under_way"}'));
end $$;

select pg_temp.answers(
    to_jsonb(wallet.lock_paid_topup('pi_acme')),
    jsonb_build_object('org_id', pg_temp.org('acme'), 'status', 'paid', 'stripe_payment_intent_id', 'pi_acme'),
    'a payment intent leads to the top-up that it paid'
);
select is((wallet.lock_paid_topup(intent)).id, null, format('there is none for %L', intent))
from unnest(array['pi_unknown', 'pi_under_way', null]) as intent;

-- One that was booked for two organizations belongs to the first.
do $$
begin
    perform wallet.add_wallet_credits(pg_temp.org('globex'), 5000, 'topup', 'pi_acme');
    update wallet.topups set created_at = now() + interval '1 s'
    where org_id = pg_temp.org('globex') and stripe_payment_intent_id = 'pi_acme';
end $$;
select is(
    (wallet.lock_paid_topup('pi_acme')).org_id, pg_temp.org('acme'),
    'of two organizations that claim a payment, the first has it'
);
select is(
    pg_temp.tell('refund.created', pg_temp.refund('acme')) ->> 'org_id', pg_temp.org('acme')::text,
    'so its refund is taken from that one'
);
select is(pg_temp.balance(pg_temp.org('globex')), 5000::bigint, 'and not from the other');

select * from finish();
rollback;
