begin;
select plan(7);
\ir ../support.sql
\ir events.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.deliver(
        'evt_1', 'checkout.session.completed', pg_temp.session('acme', '{"payment_status": "unpaid"}')
    );
end $$;

select pg_temp.answers(
    pg_temp.deliver('evt_2', 'checkout.session.async_payment_succeeded', pg_temp.session('acme')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'a delayed payment that arrives is credited'
);
select is(
    pg_temp.payments('acme'), 'balance 5000, credits 1, top-ups paid', 'on the top-up that waited for it'
);
select is(pg_temp.stored('evt_1'), 'processed 2', 'and closes the unpaid session''s event, which waited too');
select pg_temp.answers(
    pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme', '{"payment_status": "unpaid"}')),
    '{"success": true, "outcome": "duplicate"}',
    'so that, delivered once more, it is a duplicate'
);
select is(
    pg_temp.payments('acme'), 'balance 5000, credits 1, top-ups paid', 'and takes nothing back'
);

do $$ begin perform pg_temp.open_wallet('globex'); end $$;
select pg_temp.answers(
    pg_temp.deliver(
        'evt_3', 'checkout.session.async_payment_succeeded',
        pg_temp.session('globex', '{"id": "cs_3", "payment_intent": "pi_3"}')
    ),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5000}',
    'it needs no earlier event'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
