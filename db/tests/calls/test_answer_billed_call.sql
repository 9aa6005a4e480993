begin;
select plan(4);
\ir ../support.sql
\ir ../reservations/reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 100, 0);
    perform pg_temp.bill('acme', 'paid', 30);
    perform pg_temp.bill('acme', 'owing', 60);
    perform pg_temp.bill('acme', 'silent', 0);
end $$;
select pg_temp.answers(
    wallet.answer_billed_call(pg_temp.org('acme'), 'paid', 100),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'transaction_id', pg_temp.call('acme', 'paid') -> 'transaction_id',
        'charged_pence', 100, 'balance_before', 100, 'balance_after', 0
    ),
    'the same money is a duplicate'
);
select pg_temp.answers(
    wallet.answer_billed_call(pg_temp.org('acme'), 'owing', 200),
    '{"success": true, "duplicate": true, "transaction_id": null, "charged_pence": 0, "owed_pence": 200}',
    'also where it is still owed'
);
select pg_temp.answers(
    wallet.answer_billed_call(pg_temp.org('acme'), 'paid', 101),
    jsonb_build_object(
        'success', false, 'error', 'idempotency_conflict', 'idempotency_key', 'call:paid',
        'transaction_id', pg_temp.call('acme', 'paid') -> 'transaction_id', 'original_amount_pence', 100,
        'attempted_amount_pence', 101, 'original_type', 'call_deduction', 'attempted_direction', 'debit'
    ),
    'other money is a conflict, with both'
);
select pg_temp.answers(
    wallet.answer_billed_call(pg_temp.org('acme'), 'silent', 1),
    '{"success": false, "error": "idempotency_conflict", "original_amount_pence": 0, "transaction_id": null}',
    'and so is any money for what cost nothing'
);

select * from finish();
rollback;
