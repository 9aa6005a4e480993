begin;
select plan(9);
\ir ../support.sql

create function pg_temp.answer(p_changes jsonb, p_amount_pence bigint, p_plan text, p_duplicate boolean) returns jsonb
language sql
return wallet.answer_topup(
    jsonb_populate_record(
        null::wallet.topups,
        jsonb_build_object(
            'id', pg_temp.org('top-up'), 'org_id', pg_temp.org('acme'), 'status', 'pending', 'amount_pence', 5000,
            'request_key', 'click', 'stripe_request', '{}', 'created_at', now()
        )
        || p_changes
    ),
    p_amount_pence, p_plan, p_duplicate
);

select pg_temp.answers(
    pg_temp.answer('{}', 5000, null, false),
    '{"success": true, "duplicate": false, "amount_pence": 5000, "next": "create_session"}',
    'a top-up that waits to be paid is answered with what to do next'
);
select pg_temp.answers(
    pg_temp.answer('{}', 5000, null, true), '{"success": true, "duplicate": true}', 'as a duplicate where it is one'
);
select pg_temp.answers(
    pg_temp.answer('{"plan": "big", "amount_pence": 6000}', null, 'big', true),
    '{"success": true, "amount_pence": 6000}',
    'one by plan has the plan''s amount'
);
select pg_temp.answers(pg_temp.answer(changes::jsonb, amount, plan, true), expected, what)
from (
    values
    (
        '{}', 6000, null,
        jsonb_build_object(
            'success', false, 'error', 'idempotency_conflict', 'request_key', 'click',
            'topup_id', pg_temp.org('top-up'), 'original_amount_pence', 5000, 'attempted_amount_pence', 6000
        ),
        'the same key for another amount is a conflict, with both'
    ),
    (
        '{}', null, 'big', '{"error": "idempotency_conflict", "original_plan": null, "attempted_plan": "big"}',
        'so is a plan instead of an amount'
    ),
    (
        '{"plan": "big"}', 5000, null, '{"error": "idempotency_conflict", "original_plan": "big"}',
        'and an amount instead of a plan'
    ),
    (
        '{"plan": "big"}', null, 'small', '{"error": "idempotency_conflict", "attempted_plan": "small"}',
        'and another plan'
    ),
    ('{"status": "paid"}', 6000, null, '{"error": "idempotency_conflict"}', 'the conflict comes before the end'),
    (
        '{"status": "paid"}', 5000, null, '{"success": false, "error": "topup_closed", "status": "paid"}',
        'one that was paid can''t be paid again'
    )
) as asked (changes, amount, plan, expected, what);

select * from finish();
rollback;
