begin;
select plan(45);
\ir ../support.sql

create function pg_temp.price(p_name text, p_service text, p_quantity bigint) returns jsonb
language sql stable
return wallet.price_usage(pg_temp.org(p_name), p_service, p_quantity, now());

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

-- The examples of the price book's rounding: to the cent, then to the penny.
select is(
    format(
        '%s c = %s p', pg_temp.price('acme', 'call', seconds) #> '{breakdown,price_amount}',
        pg_temp.price('acme', 'call', seconds) -> 'amount_pence'
    ),
    format('%s c = %s p', cents, pence),
    format('a call of %s s is %s c = %s p', seconds, cents, pence)
)
from (
    values (0, 0, 0), (1, 2, 2), (2, 3, 3), (30, 35, 28), (59, 69, 55), (60, 70, 56), (61, 72, 57), (91, 107, 85),
    (3600, 4200, 3318)
) as call (seconds, cents, pence);
select is(
    pg_temp.price('acme', service, quantity) -> 'amount_pence', to_jsonb(pence),
    format('%s of %s is %s p', quantity, service, pence)
)
from (
    values ('sms', 1, 4), ('sms', 3, 12), ('knowledge_base_query', 1, 1), ('knowledge_base_query', 10, 8),
    ('phone_provisioning', 1, 395), ('phone_provisioning', 2, 790)
) as usage (service, quantity, pence);

select is(
    pg_temp.price('acme', 'call', 91),
    '{
        "success": true, "amount_pence": 85, "currency": "gbp",
        "breakdown": {
            "service": "call", "quantity": 91, "measured_in": "second",
            "unit": "minute", "unit_size": 60, "unit_price": 70, "price_currency": "usd", "price_amount": 107,
            "rounding": "up", "exchange_rate": 0.79, "amount_pence": 85, "currency": "gbp",
            "effective_from": "-infinity", "own_price": false
        }
    }',
    'the breakdown holds everything that the amount was worked out from'
);
select is(
    (
        select count(*)
        from generate_series(0, 400, 7) as seconds,
            lateral (select pg_temp.price('acme', 'call', seconds) -> 'breakdown' as b) as priced
        where
            (b -> 'amount_pence')::numeric <> ceil(
                ceil((b -> 'quantity')::numeric * (b -> 'unit_price')::numeric / (b -> 'unit_size')::numeric)
                * (b -> 'exchange_rate')::numeric
            )
    ),
    0::bigint,
    'and works it out again'
);

-- Whose price, whose currency, which rounding.
do $$
begin
    perform pg_temp.open_wallet('globex');
    perform pg_temp.open_wallet('boston', p_currency => 'usd');
    perform pg_temp.open_wallet('tokyo', p_currency => 'jpy');
    perform pg_temp.open_wallet('kuwait', p_currency => 'kwd');
    perform pg_temp.open_wallet('berlin', p_currency => 'eur');
    perform wallet.set_exchange_rate('usd', 'jpy', 150, 'ann');
    perform wallet.set_exchange_rate('usd', 'kwd', 0.307, 'ann');
    perform wallet.set_price('call', 'minute', 60, 'gbp', 'ann', 'nearest', p_org_id => pg_temp.org('globex'));
end $$;

select pg_temp.answers(
    pg_temp.price('globex', 'call', 91),
    '{"amount_pence": 91, "currency": "gbp"}',
    'an organization pays its own price, here of a penny a second'
);
select pg_temp.answers(
    pg_temp.price('globex', 'call', 91) -> 'breakdown',
    jsonb_build_object(
        'own_price', true, 'price_currency', 'gbp', 'exchange_rate', 1, 'price_amount', 91, 'rounding', 'nearest',
        'effective_from', now()
    ),
    'and the breakdown says so, with no rate where none was needed'
);
select is(
    pg_temp.price(name, 'call', seconds) -> 'amount_pence', to_jsonb(amount),
    format('%s s in %s', seconds, currency)
)
from (
    values
    ('boston', 91, 107, 'cents: as the price has it'),
    ('tokyo', 91, 161, 'yen, which has no decimals'),
    ('tokyo', 1, 3, 'yen, rounded up'),
    ('kuwait', 91, 329, 'fils, of which a dinar has 1000'),
    ('kuwait', 1, 7, 'fils, rounded up')
) as usage (name, seconds, amount, currency);

do $$
begin
    perform wallet.set_price('sms', 'segment', 2.5, 'usd', 'ann', rounding, p_org_id => pg_temp.open_wallet(rounding))
    from unnest(array['up', 'nearest', 'down']) as rounding;
    perform wallet.set_price('sms', 'segment', 0.00000001, 'gbp', 'ann', p_org_id => pg_temp.open_wallet('tiny'));
    perform wallet.set_price('sms', 'segment', 0, 'usd', 'ann', p_org_id => pg_temp.open_wallet('free'));
    perform wallet.set_price('sms', 'segment', 999999999999.99999999, 'usd', 'ann', p_org_id => pg_temp.open_wallet('dear'));
end $$;

select is(
    pg_temp.price(rounding, 'sms', 1) -> 'amount_pence', to_jsonb(pence),
    format('2.5 c %s twice are %s p', rounding, pence)
)
from (values ('up', 3), ('nearest', 2), ('down', 1)) as way (rounding, pence);
select is(pg_temp.price('tiny', 'sms', 1) -> 'amount_pence', '1', 'the least fraction of a penny is one, rounded up');
select is(pg_temp.price('tiny', 'sms', 100000000) -> 'amount_pence', '1', 'a hundred million of them too');
select is(pg_temp.price('tiny', 'sms', 100000001) -> 'amount_pence', '2', 'and one more is two');
select is(pg_temp.price('free', 'sms', 1000) -> 'amount_pence', '0', 'what is free costs nothing');

-- At its time.
do $$
begin
    perform wallet.set_price('call', 'minute', 80, 'usd', 'ann', p_effective_from => '2040-01-01 00:00+00');
    perform wallet.set_exchange_rate('usd', 'gbp', 0.5, 'ann', '2040-02-01 00:00+00');
end $$;

select is(
    wallet.price_usage(pg_temp.org('acme'), 'call', 60, at::timestamptz) -> 'amount_pence', to_jsonb(pence),
    format('at %s a minute is %s p', at, pence)
)
from (
    values
    ('2039-12-31 23:59:59.999999+00', 56),
    ('2040-01-01 00:00:00+00', 64),
    ('2040-01-31 23:59:59.999999+00', 64),
    ('2040-02-01 00:00:00+00', 40)
) as moment (at, pence);

-- Refusals and misuse.
select pg_temp.answers(
    pg_temp.price('nobody', 'call', 60), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.answers(
    pg_temp.price('berlin', 'call', 60),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "usd", "to_currency": "eur"}',
    'without a rate of exchange there is no price'
);
do $$ begin perform wallet.set_service('archive', 'token', 'license', true, 'ann'); end $$;
select pg_temp.answers(
    pg_temp.price('acme', 'archive', 1), '{"success": false, "error": "price_not_found", "service": "archive"}',
    'a service that has no price is refused'
);
do $$ begin perform wallet.set_price('archive', 'million_tokens', 123.456, 'gbp', 'ann'); end $$;
select is(
    pg_temp.price('acme', 'archive', tokens) -> 'amount_pence', to_jsonb(pence),
    format('%s tokens at 123.456 p a million are %s p', tokens, pence)
)
from (values (1, 1), (2000000, 247)) as usage (tokens, pence);
select pg_temp.raises(
    $$select pg_temp.price('acme', 'yacht', 1)$$, 'WL006', 'p_service', 'an unknown service is misuse'
);
select pg_temp.raises(
    $$select pg_temp.price('acme', 'phone_number', 1)$$, 'WL006', 'p_service', 'and so is the name of a price'
);
select is(
    pg_temp.price('globex', 'call', 9223372036854775807) -> 'amount_pence', '9223372036854775807',
    'the largest bigint can be priced'
);
select pg_temp.raises(
    $$select pg_temp.price('acme', 'sms', 9223372036854775807)$$, 'WL009', 'p_quantity',
    'what bigint can''t hold is misuse'
);
select pg_temp.raises(
    $$select pg_temp.price('dear', 'sms', 9223372036854775807)$$, 'WL009', 'p_quantity',
    'and what is far beyond it'
);

select * from finish();
rollback;
