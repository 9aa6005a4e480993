begin;
select plan(2);

select is(
    wallet.reservation_end('2026-03-01 12:00+00', 5), '2026-03-01 12:20+00'::timestamptz,
    'a reservation outlives its minutes by a quarter of an hour'
);
update wallet.call_settings set reservation_grace_seconds = 60;
select is(
    wallet.reservation_end('2026-03-01 12:00+00', 1440), '2026-03-02 12:01+00'::timestamptz,
    'or by what is configured'
);

select * from finish();
rollback;
