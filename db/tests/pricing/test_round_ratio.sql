begin;
select plan(28);
\ir ../support.sql

select is(
    wallet.round_ratio(numerator, denominator, rounding), expected::numeric,
    format('%s / %s %s is %s', numerator, denominator, rounding, expected)
)
from (
    values
    (0, 60, 0, 0, 0),
    (1, 60, 1, 0, 0),
    (30, 60, 1, 1, 0),
    (29, 60, 1, 0, 0),
    (60, 60, 1, 1, 1),
    (6370, 60, 107, 106, 106),
    (2.5, 1, 3, 3, 2),
    (0.00000001, 1000000, 1, 0, 0)
) as ratio (numerator, denominator, up, nearest, down)
cross join lateral (
    values ('up', up), ('nearest', nearest), ('down', down)
) as way (rounding, expected);

-- A quotient that is cut off would be a whole number here.
select is(
    wallet.round_ratio(9223372036854775807 * 60::numeric + 0.00000001, 60, 'up'), 9223372036854775808,
    'the smallest trace above a large whole number is rounded up'
);
select is(
    wallet.round_ratio(9223372036854775807 * 60::numeric + 29.99999999, 60, 'nearest'), 9223372036854775807::numeric,
    'and what is just below a half is not rounded up'
);
select is(
    wallet.round_ratio(9223372036854775807 * 60::numeric + 30, 60, 'nearest'), 9223372036854775808,
    'a half is, however large the number'
);
select throws_ok(
    'select wallet.round_ratio(1, 2, ''sideways'')', '20000', null, 'there is no other way of rounding'
);

select * from finish();
rollback;
