begin;
select plan(1);
\ir ../support.sql

select pg_temp.answers(
    wallet.refuse_unknown_event('evt_1'),
    '{
        "success": false, "error": "event_not_found", "event_id": "evt_1",
        "message": "No event evt_1 was ever delivered."
    }',
    'an event that never came is refused by its id'
);

select * from finish();
rollback;
