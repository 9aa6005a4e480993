begin;
select plan(14);
\ir ../support.sql
\ir events.sql

-- Everything that can come before a credit, and what is not of this payment.
do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.deliver('evt_refund', 'refund.created', pg_temp.refund('acme'));
    perform pg_temp.deliver('evt_charge', 'charge.refunded', pg_temp.charge('acme'));
    perform pg_temp.deliver('evt_dispute', 'charge.dispute.created', pg_temp.dispute('acme'));
    perform pg_temp.deliver('evt_warning', 'radar.early_fraud_warning.created', pg_temp.warning('acme'));
    perform pg_temp.deliver('evt_wrong', 'refund.created', pg_temp.refund('acme', '{"id": "re_2", "currency": "eur"}'));
    perform pg_temp.deliver('evt_other', 'refund.created', pg_temp.refund('acme', '{"payment_intent": "pi_other"}'));
end $$;

select lives_ok('select wallet.apply_parked_events(''pi_acme'')', 'without a credit it changes nothing');
select is(pg_temp.stored('evt_refund'), 'pending 2', 'they go on waiting');
select lives_ok('select wallet.apply_parked_events(null)', 'a credit without a payment intent has nothing parked');

do $$ begin perform pg_temp.pay('acme'); end $$;
select is(pg_temp.stored(event), status || ' 3', format('%s is %s when the credit lands', event, status))
from (
    values
    ('evt_refund', 'processed'),
    ('evt_charge', 'processed'),
    ('evt_dispute', 'processed'),
    ('evt_warning', 'processed'),
    ('evt_wrong', 'failed')
) as parked (event, status);
select is(pg_temp.stored('evt_other'), 'pending 1', 'another payment''s goes on waiting');
select is(
    pg_temp.payments('acme'), 'balance 4000, credits 1, top-ups paid',
    'one that fails holds up neither the credit nor the others'
);
select is(
    (select array_agg(distinct cause::text order by cause::text) from wallet.wallet_freezes
    where org_id = pg_temp.org('acme')),
    array['dispute', 'early_fraud_warning'],
    'the wallet is frozen by what came early'
);

-- A backend may book the payment first.
do $$
begin
    perform pg_temp.open_wallet('globex');
    perform pg_temp.deliver('evt_globex', 'refund.created', pg_temp.refund('globex'));
    perform wallet.add_wallet_credits(pg_temp.org('globex'), 5000, 'topup', 'pi_globex');
end $$;
select is(pg_temp.stored('evt_globex'), 'processed 2', 'add_wallet_credits, too, applies what waits for its payment');
select is(pg_temp.balance(pg_temp.org('globex')), 4000::bigint, 'so that the credit is reversed at once');
select pg_temp.books_are_right();

select * from finish();
rollback;
