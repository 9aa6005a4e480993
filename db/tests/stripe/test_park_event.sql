begin;
select plan(1);
\ir ../support.sql

select pg_temp.answers(
    wallet.park_event(), '{"success": true, "outcome": "pending"}', 'an event that is parked is no failure'
);

select * from finish();
rollback;
