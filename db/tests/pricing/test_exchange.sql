begin;
select plan(11);
\ir ../support.sql

select is(
    wallet.exchange(amount, from_currency, to_currency, rate, rounding), expected::numeric,
    format(
        '%s %s at %s are %s %s (%s)', amount, from_currency, rate, expected, to_currency, rounding
    )
)
from (
    values
    (100, 'usd', 'gbp', 0.79, 'up', 79),
    (107, 'usd', 'gbp', 0.79, 'up', 85),
    (107, 'usd', 'gbp', 0.79, 'nearest', 85),
    (107, 'usd', 'gbp', 0.79, 'down', 84),
    (100, 'usd', 'jpy', 150, 'up', 150),
    (1, 'usd', 'jpy', 150, 'up', 2),
    (150, 'jpy', 'usd', 0.0066, 'down', 99),
    (100, 'usd', 'kwd', 0.307, 'up', 307),
    (1000, 'kwd', 'jpy', 488.5, 'nearest', 489),
    (1, 'kwd', 'usd', 3.26, 'up', 1),
    (0.5, 'usd', 'usd', 1, 'up', 1)
) as example (amount, from_currency, to_currency, rate, rounding, expected);

select * from finish();
rollback;
