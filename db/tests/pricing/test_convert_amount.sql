begin;
select plan(31);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.set_exchange_rate('usd', 'jpy', 150, 'ann');
    perform wallet.set_exchange_rate('usd', 'kwd', 0.307, 'ann');
    perform wallet.set_exchange_rate('jpy', 'usd', 0.0066, 'ann');
    perform wallet.set_exchange_rate('usd', 'gbp', 0.5, 'ann', p_org_id => pg_temp.org('acme'));
    perform wallet.set_exchange_rate('usd', 'gbp', 0.6, 'ann', '2040-01-01');
end $$;

select is(
    wallet.convert_amount(amount, from_currency, to_currency, rounding), expected::bigint,
    format('%s %s are %s %s (%s)', amount, from_currency, expected, to_currency, rounding)
)
from (
    values
    (100, 'usd', 'gbp', 'nearest', 79),
    (2500, 'usd', 'gbp', 'nearest', 1975),
    (1, 'usd', 'gbp', 'up', 1),
    (1, 'usd', 'gbp', 'nearest', 1),
    (1, 'usd', 'gbp', 'down', 0),
    (50, 'usd', 'gbp', 'down', 39),
    (50, 'usd', 'gbp', 'nearest', 40),
    (50, 'usd', 'gbp', 'up', 40),
    (12.3456, 'usd', 'gbp', 'nearest', 10),
    (0, 'usd', 'gbp', 'up', 0),
    (100, 'usd', 'jpy', 'up', 150),
    (1, 'usd', 'jpy', 'up', 2),
    (1, 'usd', 'jpy', 'down', 1),
    (100, 'usd', 'kwd', 'up', 307),
    (1, 'jpy', 'usd', 'up', 1),
    (1000, 'jpy', 'usd', 'nearest', 660),
    (7.5, 'gbp', 'gbp', 'nearest', 8),
    (9223372036854775807, 'gbp', 'gbp', 'up', 9223372036854775807)
) as example (amount, from_currency, to_currency, rounding, expected);

select is(
    wallet.convert_amount(100, 'usd', 'gbp', 'up', pg_temp.org('acme')), 50::bigint,
    'an organization''s own rate is used for it'
);
select is(
    wallet.convert_amount(100, 'usd', 'gbp', 'up', pg_temp.org('nobody')), 79::bigint,
    'the general one for one that has none'
);
select is(
    wallet.convert_amount(100, 'usd', 'gbp', 'up', p_at => '2040-01-01'), 60::bigint, 'at the time that is asked for'
);
select is(wallet.convert_amount(100, 'gbp', 'usd', 'up'), null, 'without a rate it is null');

select pg_temp.raises(
    format('select wallet.convert_amount(%L, %L, %L, %L, null, %L)', amount, from_currency, to_currency, rounding, at),
    sqlstate, field, format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 'usd', 'gbp', 'up', 'now', 'WL001', 'p_amount'),
    ('-0.01', 'usd', 'gbp', 'up', 'now', 'WL002', 'p_amount'),
    ('infinity', 'usd', 'gbp', 'up', 'now', 'WL009', 'p_amount'),
    ('nan', 'usd', 'gbp', 'up', 'now', 'WL009', 'p_amount'),
    ('9223372036854775807', 'usd', 'jpy', 'up', 'now', 'WL009', 'p_amount'),
    ('1', 'USD', 'gbp', 'up', 'now', 'WL006', 'p_from'),
    ('1', 'usd', null, 'up', 'now', 'WL001', 'p_to'),
    ('1', 'usd', 'gbp', 'even', 'now', 'WL006', 'p_rounding'),
    ('1', 'usd', 'gbp', 'up', null, 'WL001', 'p_at')
) as misuse (amount, from_currency, to_currency, rounding, at, sqlstate, field);

select * from finish();
rollback;
