begin;
select plan(13);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.set_price('call', 'minute', 80, 'usd', 'ann', p_effective_from => '2040-01-01');
end $$;
create temporary table before as select pg_temp.everything() as state;

select is(
    wallet.quote_usage(pg_temp.org('acme'), 'call', 91),
    wallet.price_usage(pg_temp.org('acme'), 'call', 91, now()),
    'a quote is what the charge would be, now'
);
select pg_temp.answers(
    wallet.quote_usage(pg_temp.org('acme'), 'call', 0), '{"success": true, "amount_pence": 0}', 'nothing costs nothing'
);
select pg_temp.answers(
    wallet.quote_usage(pg_temp.org('acme'), 'call', 60, '2040-01-01'), '{"amount_pence": 64}', 'or at another time'
);
select pg_temp.answers(
    wallet.quote_usage(pg_temp.org('nobody'), 'call', 60), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);

select pg_temp.raises(
    format('select wallet.quote_usage(%L, %L, %L, %L)', org_id, service, quantity, at), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 'call', '1', 'now', 'WL001', 'p_org_id'),
    (pg_temp.org('acme'), null, '1', 'now', 'WL001', 'p_service'),
    (pg_temp.org('acme'), 'yacht', '1', 'now', 'WL006', 'p_service'),
    (pg_temp.org('acme'), 'call', null, 'now', 'WL001', 'p_quantity'),
    (pg_temp.org('acme'), 'call', '-1', 'now', 'WL002', 'p_quantity'),
    (pg_temp.org('acme'), 'sms', '9223372036854775807', 'now', 'WL009', 'p_quantity'),
    (pg_temp.org('acme'), 'call', '1', null, 'WL001', 'p_at')
) as misuse (org_id, service, quantity, at, sqlstate, field);
select is(pg_temp.everything(), state, 'a quote writes nothing') from before;
select is(
    array[
        pg_temp.outcome(
            'service_role', '', format('select wallet.quote_usage(%L, ''sms'', 1) -> ''amount_pence''', id)
        ),
        pg_temp.outcome('authenticated', '', format('select wallet.quote_usage(%L, ''sms'', 1)', id)),
        pg_temp.outcome('wallet_webhook', '', format('select wallet.quote_usage(%L, ''sms'', 1)', id)),
        pg_temp.outcome('service_role', '', format('select wallet.price_usage(%L, ''sms'', 1, now())', id))
    ],
    array['4', '42501', '42501', '42501'],
    'backends may ask, and nobody gets past the checks'
)
from pg_temp.org('acme') as id;

select * from finish();
rollback;
