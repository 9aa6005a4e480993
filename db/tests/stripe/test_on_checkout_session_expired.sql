begin;
select plan(8);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.open_wallet('acme', 100); end $$;

select pg_temp.answers(
    pg_temp.deliver(
        'evt_1', 'checkout.session.expired',
        pg_temp.session('acme', '{"status": "expired", "payment_status": "unpaid", "payment_intent": null}')
    ),
    '{"success": true, "outcome": "processed"}',
    'a session that ran out closes its top-up'
);
select is(pg_temp.payments('acme'), 'balance 100, credits 1, top-ups expired', 'no money moves');
select is(pg_temp.stored('evt_1'), 'processed 1', 'the event is done');
select pg_temp.answers(
    pg_temp.deliver(
        'evt_1', 'checkout.session.expired',
        pg_temp.session('acme', '{"status": "expired", "payment_status": "unpaid", "payment_intent": null}')
    ),
    '{"success": true, "outcome": "duplicate"}',
    'its redelivery is a duplicate'
);
select pg_temp.answers(
    pg_temp.deliver('evt_2', 'checkout.session.completed', pg_temp.session('acme')),
    '{"success": true, "outcome": "processed", "duplicate": false, "balance_after": 5100}',
    'a session that turns out paid is credited, whatever was said before'
);
select is(pg_temp.payments('acme'), 'balance 5100, credits 2, top-ups paid', 'and its top-up is paid');
do $$
begin
    perform pg_temp.deliver(
        'evt_3', 'checkout.session.expired',
        pg_temp.session('acme', '{"status": "expired", "payment_status": "unpaid", "payment_intent": null}')
    );
end $$;
select is(
    pg_temp.payments('acme'), 'balance 5100, credits 2, top-ups paid', 'paid is final: older news does not undo it'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
