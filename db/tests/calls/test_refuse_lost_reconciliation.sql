begin;
select plan(1);
\ir ../support.sql

set local timezone = 'UTC';
select is(
    wallet.refuse_lost_reconciliation('2026-03-02', '2026-03-03'),
    '{
        "success": false, "error": "reconciliation_lost",
        "message": "The reconciliation from 2026-03-02 00:00:00+00 to 2026-03-03 00:00:00+00 is not this worker''s.",
        "from": "2026-03-02T00:00:00+00:00", "to": "2026-03-03T00:00:00+00:00"
    }',
    'the refusal names the window'
);

select * from finish();
rollback;
