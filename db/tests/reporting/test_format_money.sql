begin;
select plan(20);

select is(wallet.format_money(amount, currency), formatted, format('%s %s is %s', amount, currency, formatted))
from (
    values
    (61900, 'gbp', '£619.00'),
    (5, 'gbp', '£0.05'),
    (0, 'gbp', '£0.00'),
    (-300, 'gbp', '-£3.00'),
    (-1, 'gbp', '-£0.01'),
    (123456789, 'gbp', '£1,234,567.89'),
    (1999, 'usd', '$19.99'),
    (1999, 'eur', '€19.99'),
    (1999, 'chf', 'CHF 19.99'),
    (5000, 'jpy', '¥5,000'),
    (-5000, 'jpy', '-¥5,000'),
    (0, 'jpy', '¥0'),
    (5000, 'krw', 'KRW 5,000'),
    (5000, 'xof', 'XOF 5,000'),
    (5000, 'kwd', 'KWD 5.000'),
    (5, 'tnd', 'TND 0.005'),
    (9223372036854775807, 'gbp', '£92,233,720,368,547,758.07'),
    (9223372036854775807, 'jpy', '¥9,223,372,036,854,775,807'),
    (-9223372036854775808, 'gbp', '-£92,233,720,368,547,758.08')
) as money (amount, currency, formatted);
select is(wallet.format_money(null, 'gbp'), null, 'no amount is no text');

select * from finish();
rollback;
