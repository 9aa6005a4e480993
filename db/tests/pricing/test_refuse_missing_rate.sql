begin;
select plan(1);
\ir ../support.sql

select is(
    wallet.refuse_missing_rate('usd', 'jpy'),
    '{
        "success": false, "error": "exchange_rate_not_found", "from_currency": "usd", "to_currency": "jpy",
        "message": "There is no exchange rate from USD to JPY."
    }',
    'the refusal names both currencies'
);

select * from finish();
rollback;
