begin;
select plan(3);
\ir ../support.sql

select is(
    wallet.refuse_other_duration('{"success": true, "duration_seconds": 60}', 60),
    '{"success": true, "duration_seconds": 60}', 'an answer about the same duration is passed on'
);
select is(
    wallet.refuse_other_duration('{"success": false, "error": "price_not_found"}', 60),
    '{"success": false, "error": "price_not_found"}', 'and so is a refusal'
);
select pg_temp.answers(
    wallet.refuse_other_duration(
        '{"success": true, "duration_seconds": 60, "call_id": "c", "transaction_id": null, "actual_cost_pence": 200}',
        90
    ),
    '{
        "success": false, "error": "idempotency_conflict", "call_id": "c", "original_duration_seconds": 60,
        "attempted_duration_seconds": 90, "original_amount_pence": 200
    }',
    'another duration is another call, and refused with both'
);

select * from finish();
rollback;
