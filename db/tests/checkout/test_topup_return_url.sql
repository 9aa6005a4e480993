begin;
select plan(5);
\ir ../support.sql

select is(
    wallet.topup_return_url(pg_temp.org('top-up'), url, checkout),
    replace(expected, '…', 'topup_id=' || pg_temp.org('top-up')),
    format('%s leads back to %s', checkout, url)
)
from (
    values
    ('https://acme.example/wallet', 'success', 'https://acme.example/wallet?…&checkout=success'),
    ('https://acme.example/wallet', 'cancelled', 'https://acme.example/wallet?…&checkout=cancelled'),
    ('https://acme.example/wallet?tab=1', 'success', 'https://acme.example/wallet?tab=1&…&checkout=success'),
    ('http://localhost:3000', 'success', 'http://localhost:3000?…&checkout=success')
) as returned (url, checkout, expected);
select is(
    wallet.topup_return_url(pg_temp.org('top-up'), null, 'success'), null, 'where there is no way back there is none'
);

select * from finish();
rollback;
