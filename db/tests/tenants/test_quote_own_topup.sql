begin;
select plan(46);
\ir ../support.sql
\ir tenants.sql

create function pg_temp.of_usd(p_name text, p_usd_cents bigint) returns jsonb
language sql
return pg_temp.as_tenant(p_name, format('quote_own_topup(p_usd_cents => %s)', p_usd_cents));

create function pg_temp.of_amount(p_name text, p_amount_pence bigint) returns jsonb
language sql
return pg_temp.as_tenant(p_name, format('quote_own_topup(p_amount_pence => %s)', p_amount_pence));

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
    perform pg_temp.open_wallet('tokyo', p_currency => 'jpy');
    perform pg_temp.open_wallet('kuwait', p_currency => 'kwd');
    perform pg_temp.open_wallet('toronto', p_currency => 'cad');
    perform pg_temp.open_wallet('dallas', p_currency => 'usd');
    perform pg_temp.open_wallet('oslo', p_currency => 'nok');
    perform wallet.set_exchange_rate('usd', 'gbp', 0.79, 'ann');
    perform wallet.set_exchange_rate('usd', 'gbp', 0.5, 'ann', p_org_id => pg_temp.org('globex'));
    perform wallet.set_exchange_rate('usd', 'jpy', 150, 'ann');
    perform wallet.set_exchange_rate('usd', 'kwd', 0.307, 'ann');
    perform wallet.set_exchange_rate('usd', 'cad', 1.44, 'ann');
    -- From kroner to dollars is no rate from dollars to kroner.
    perform wallet.set_exchange_rate('nok', 'usd', 0.1, 'ann');
end $$;

-- Dollars to pounds: what is charged.
select is(
    pg_temp.of_usd('acme', 2500),
    '{
        "success": true, "charge_pence": 1975, "credit_pence": 1975, "currency": "gbp", "charge_formatted": "£19.75",
        "usd_cents": 2500, "usd_formatted": "$25.00", "exchange_rate": 0.79
    }'::jsonb,
    '$25.00 at 0.79 are £19.75'
);
select is(
    pg_temp.of_usd('acme', 2500), wallet.quote_topup(2500, pg_temp.org('acme')), 'a tenant is told what a backend is'
);
select pg_temp.answers(
    pg_temp.of_usd('globex', 2500),
    '{"charge_pence": 1250, "charge_formatted": "£12.50", "exchange_rate": 0.5}', 'an organization''s own rate counts'
);
select is(
    pg_temp.of_usd(name, usd_cents) ->> 'charge_pence', charge,
    format('%s: %s US cents are %s', name, usd_cents, charge)
)
from (
    values
    ('acme', 1, '1'),
    ('acme', 50, '40'),
    ('acme', 63, '50'),
    ('acme', 100000, '79000'),
    ('globex', 1, '1'),
    ('tokyo', 100, '150'),
    ('tokyo', 1, '2'),
    ('kuwait', 100, '307'),
    ('kuwait', 1, '3'),
    ('dallas', 777, '777')
) as quoted (name, usd_cents, charge);

-- Pounds to dollars: about what it is, to the nearest, halves up.
select is(
    pg_temp.of_amount('acme', 1975),
    '{
        "success": true, "charge_pence": 1975, "credit_pence": 1975, "currency": "gbp", "charge_formatted": "£19.75",
        "usd_cents": 2500, "usd_formatted": "$25.00", "exchange_rate": 0.79
    }'::jsonb,
    '£19.75 at 0.79 are $25.00'
);
select is(
    pg_temp.of_amount(name, amount) ->> 'usd_cents', usd_cents,
    format('%s: %s are %s US cents', name, amount, usd_cents)
)
from (
    values
    ('acme', 1, '1'),
    ('acme', 5000, '6329'),
    ('acme', 79, '100'),
    ('globex', 5000, '10000'),
    ('tokyo', 150, '100'),
    ('tokyo', 1, '1'),
    ('tokyo', 5000, '3333'),
    ('kuwait', 307, '100'),
    ('kuwait', 1000, '326'),
    ('dallas', 777, '777'),
    ('toronto', 144, '100'),
    -- Halves, which a rate that is turned round first would lose: 18 / 1.44 = 12.5.
    ('toronto', 18, '13'),
    ('toronto', 5022, '3488'),
    ('toronto', 17, '12')
) as quoted (name, amount, usd_cents);
select pg_temp.answers(
    pg_temp.of_amount('tokyo', 5000),
    '{"charge_pence": 5000, "charge_formatted": "¥5,000", "usd_formatted": "$33.33"}', 'yen have no minor unit'
);
select is_empty(
    $$
        select amount, (pg_temp.of_amount('acme', amount) ->> 'usd_cents')::bigint
        from generate_series(1, 2000, 7) as amount
        where (pg_temp.of_amount('acme', amount) ->> 'usd_cents')::bigint <> floor(amount / 0.79 + 0.5)
    $$,
    'it agrees with schoolbook division'
);

-- Where there is no rate.
select pg_temp.answers(
    pg_temp.of_amount('oslo', 5000),
    '{
        "success": true, "charge_pence": 5000, "currency": "nok", "charge_formatted": "NOK 50.00", "usd_cents": null,
        "usd_formatted": null, "exchange_rate": null
    }',
    'an amount without a rate is charged, and nothing is said of dollars'
);
select pg_temp.answers(
    pg_temp.of_usd('oslo', 5000),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "usd", "to_currency": "nok"}',
    'dollars without a rate are refused'
);
do $$ begin perform wallet.set_exchange_rate('usd', 'nok', 10, 'ann', now() + interval '1 minute'); end $$;
select pg_temp.answers(
    pg_temp.of_usd('oslo', 5000), '{"error": "exchange_rate_not_found"}', 'a rate that begins later is none yet'
);

-- Exactly one of the two.
select pg_temp.tenant_raises(
    'acme', format('quote_own_topup(%s)', arguments), sqlstate, field, format('%s: %s', arguments, sqlstate)
)
from (
    values
    ('null, null', 'WL006', 'p_usd_cents'),
    ('2500, 1975', 'WL006', 'p_usd_cents'),
    ('0', 'WL002', 'p_usd_cents'),
    ('-1', 'WL002', 'p_usd_cents'),
    ('null, 0', 'WL002', 'p_amount_pence'),
    ('null, -1', 'WL002', 'p_amount_pence'),
    ('null, 9223372036854775807', 'WL009', 'p_amount_pence')
) as misuse (arguments, sqlstate, field);
select is(
    pg_temp.of_usd('acme', 9223372036854775807) ->> 'charge_pence', '7286463909115272888', 'the largest bigint is exact'
);

select pg_temp.refuses_nameless('quote_own_topup(2500)');
select pg_temp.as_tenant('nobody', 'quote_own_topup(p_amount_pence => 2500)') ->> 'error' as refused \gset
select is(:'refused'::text, 'organization_not_found', 'an amount of an unknown organization is refused, too');

select * from finish();
rollback;
