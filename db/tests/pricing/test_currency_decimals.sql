begin;
select plan(7);
\ir ../support.sql

select is(wallet.currency_decimals(currency), decimals, format('%s has %s decimals', currency, decimals))
from (values ('gbp', 2), ('usd', 2), ('jpy', 0), ('krw', 0), ('kwd', 3), ('bhd', 3)) as known (currency, decimals);
select is(
    (
        select count(*)
        from unnest(array['gbp', 'usd', 'eur', 'jpy', 'krw', 'vnd', 'kwd', 'omr', 'tnd']) as currency
        where
            wallet.format_money((10 ^ wallet.currency_decimals(currency))::bigint, currency)
            !~ format('[^0-9]1%s$', case wallet.currency_decimals(currency)
                when 0 then '' else '[.]0{' || wallet.currency_decimals(currency) || '}'
            end)
    ),
    0::bigint,
    'and money is written with as many'
);

select * from finish();
rollback;
