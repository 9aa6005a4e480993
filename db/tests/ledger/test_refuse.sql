begin;
select plan(2);

select is(
    wallet.refuse('too_late', 'It is too late.', '{"hour": 25}'),
    '{"success": false, "error": "too_late", "message": "It is too late.", "hour": 25}'::jsonb,
    'a refusal has a code, a sentence and the numbers behind it'
);
select is(
    wallet.refuse('too_late', 'It is too late.'),
    '{"success": false, "error": "too_late", "message": "It is too late."}'::jsonb,
    'there may be no numbers'
);

select * from finish();
rollback;
