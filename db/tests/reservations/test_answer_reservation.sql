begin;
select plan(2);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform pg_temp.reserve('acme', 'call_1');
    perform pg_temp.reserve('acme', 'call_2', 2);
end $$;
select pg_temp.answers(
    wallet.answer_reservation(r, true),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'reservation_id', r.id, 'call_id', 'call_1', 'status', 'open',
        'estimated_minutes', 5, 'requested_pence', 1000, 'reserved_pence', 1000, 'active_reservations_pence', 1400,
        'effective_balance_pence', 3600
    ),
    'a reservation is told with all that is held, and what is left'
)
from wallet.credit_reservations as r
where r.org_id = pg_temp.org('acme') and r.call_id = 'call_1';
update wallet.organizations set owed_pence = 600 where id = pg_temp.org('acme');
select pg_temp.answers(
    wallet.answer_reservation(r, false), '{"duplicate": false, "effective_balance_pence": 3000}',
    'what is owed is not left'
)
from wallet.credit_reservations as r
where r.org_id = pg_temp.org('acme') and r.call_id = 'call_1';

select * from finish();
rollback;
