begin;
select plan(7);
\ir ../support.sql
\ir events.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 100);
    perform pg_temp.deliver(
        'evt_1', 'checkout.session.completed', pg_temp.session('acme', '{"payment_status": "unpaid"}')
    );
end $$;

select pg_temp.answers(
    pg_temp.deliver(
        'evt_2', 'checkout.session.async_payment_failed', pg_temp.session('acme', '{"payment_status": "unpaid"}')
    ),
    '{"success": true, "outcome": "processed"}',
    'a delayed payment that failed closes its top-up'
);
select is(pg_temp.payments('acme'), 'balance 100, credits 1, top-ups failed', 'no money moves');
select isnt(
    (select last_error from wallet.topups where org_id = pg_temp.org('acme')), null, 'the top-up says why'
);
select pg_temp.answers(
    pg_temp.deliver('evt_3', 'payment_intent.succeeded', pg_temp.intent('acme')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5100}',
    'a payment that succeeds after all is credited'
);
select is(
    pg_temp.payments('acme'), 'balance 5100, credits 2, top-ups paid', 'and its top-up is paid'
);

do $$
begin
    perform pg_temp.open_wallet('globex');
    perform pg_temp.deliver(
        'evt_4', 'checkout.session.async_payment_succeeded',
        pg_temp.session('globex', '{"id": "cs_2", "payment_intent": "pi_2"}')
    );
end $$;
create temporary table paid as
select to_jsonb(t) - 'updated_at' as topup from wallet.topups as t where org_id = pg_temp.org('globex');
do $$
begin
    perform pg_temp.deliver(
        'evt_5', 'checkout.session.async_payment_failed',
        pg_temp.session('globex', '{"id": "cs_2", "payment_intent": "pi_2", "payment_status": "unpaid"}')
    );
end $$;
select is(to_jsonb(t) - 'updated_at', topup, 'older news of a failure changes nothing about a paid top-up')
from paid, wallet.topups as t
where org_id = pg_temp.org('globex');
select pg_temp.books_are_right();

select * from finish();
rollback;
