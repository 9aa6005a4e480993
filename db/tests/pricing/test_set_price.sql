begin;
select plan(62);
\ir ../support.sql

create function pg_temp.cost(p_name text, p_at timestamptz default now()) returns bigint
language sql stable
return (wallet.price_usage(pg_temp.org(p_name), 'call', 60, p_at) -> 'amount_pence')::bigint;

create function pg_temp.prices() returns bigint
language sql stable
return (select count(*) from wallet.prices);

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
end $$;

create temporary table change as
select wallet.set_price('call', 'minute', 80.5, 'usd', 'ann', 'nearest') as answer;
select is(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'price_id', p.id, 'org_id', null, 'service', 'call', 'unit', 'minute',
        'unit_price', 80.5, 'currency', 'usd', 'rounding', 'nearest', 'effective_from', now()
    ),
    'a price is set, from now on'
)
from change, wallet.prices as p
where p.created_by = 'ann' and p.unit_price = 80.5 and p.org_id is null;
select is(pg_temp.cost('acme'), 64::bigint, 'and applies');
select is(
    pg_temp.cost('acme', now() - interval '1 microsecond'), 56::bigint, 'and what began before costs what it did'
);

-- Repeated.
create temporary table before_repeat as select pg_temp.everything() as state;
select is(
    wallet.set_price('call', 'minute', price, 'usd', 'bob', 'nearest', at), answer || '{"duplicate": true}',
    'what is in effect is not written again: ' || why
)
from
    change,
    (
        values
        (80.5, null, 'now'),
        (80.50000000, null, 'with zeros after it'),
        (80.5, now() - interval '30 seconds', 'by a slow clock'),
        (80.5, now() + interval '1 day', 'from a later day on')
    ) as again (price, at, why);
select is(pg_temp.everything(), state, 'and nothing is') from before_repeat;
select pg_temp.answers(
    wallet.set_price('call', unit, price, currency, 'ann', rounding), '{"success": true, "duplicate": false}',
    'a change is: ' || why
)
from (
    values
    ('minute', 80.5, 'usd', 'up', 'of the rounding'),
    ('minute', 80.5, 'gbp', 'up', 'of the currency'),
    ('second', 80.5, 'gbp', 'up', 'of the unit'),
    ('second', 80.50000001, 'gbp', 'up', 'of the least part of the price')
) as other (unit, price, currency, rounding, why);
select is(pg_temp.prices(), 9::bigint, 'and all of them are kept');
do $$ begin perform wallet.set_price('call', 'minute', 70, 'usd', 'ann'); end $$;
select is(pg_temp.cost('acme'), 56::bigint, 'the one that was written last applies');

-- From another time on.
do $$
begin
    perform wallet.set_price('call', 'minute', 100, 'gbp', 'ann', p_effective_from => '2040-01-01 00:00+00');
end $$;
select is(pg_temp.cost('acme', '2039-12-31 23:59:59.999999+00'), 56::bigint, 'a price is set ahead');
select is(pg_temp.cost('acme', '2040-01-01 00:00+00'), 100::bigint, 'to the microsecond');
select pg_temp.answers(
    wallet.set_price('call', 'minute', 100, 'gbp', 'ann', p_effective_from => '2040-01-01 00:00+00'),
    '{"success": true, "duplicate": true, "effective_from": "2040-01-01T00:00:00+00:00"}',
    'once'
)
from set_config('timezone', 'UTC', true);
select pg_temp.answers(
    wallet.set_price('call', 'minute', 100, 'gbp', 'ann'), '{"success": true, "duplicate": false}',
    'which says nothing of today'
);
select is(pg_temp.cost('acme'), 100::bigint, 'and today''s says so itself');
select pg_temp.answers(
    wallet.set_price('call', 'minute', 70, 'usd', 'ann', p_effective_from => now() - interval '1 minute'),
    jsonb_build_object('success', true, 'duplicate', false, 'effective_from', now()),
    'a clock may be a minute slow: the price applies from now on'
);
select is(pg_temp.cost('acme', now() - interval '1 microsecond'), 56::bigint, 'and not from before');
select pg_temp.raises(
    $$
        select wallet.set_price(
            'call', 'minute', 71, 'usd', 'ann', p_effective_from => now() - interval '1 minute 1 microsecond'
        )
    $$,
    'WL006', 'p_effective_from', 'the past is not priced anew'
);
do $$ begin perform wallet.set_service('archive', 'query', 'license', true, 'ann'); end $$;
select pg_temp.answers(
    wallet.set_price('archive', 'query', 3, 'gbp', 'ann', p_effective_from => '2020-01-01 00:00+00'),
    '{"success": true, "duplicate": false, "effective_from": "2020-01-01T00:00:00+00:00"}',
    'but the first price of a service may be dated back'
);
select pg_temp.raises(
    $$select wallet.set_price('archive', 'query', 2, 'gbp', 'ann', p_effective_from => '2019-01-01 00:00+00')$$,
    'WL006', 'p_effective_from', 'and no other before it'
);

-- A retry that comes when its date has passed.
insert into wallet.prices (service, unit, unit_price, currency, effective_from)
values
('sms', 'segment', 6, 'usd', now() - interval '2 days'),
('sms', 'segment', 7, 'usd', now() - interval '1 day');
select pg_temp.answers(
    wallet.set_price('sms', 'segment', price, 'usd', 'ann', p_effective_from => now() - since),
    jsonb_build_object('success', true, 'duplicate', true, 'unit_price', price),
    format('a late retry is told what was written: %s', price)
)
from (
    values
    (6, interval '2 days'),
    (6, interval '2 days 30 seconds'),
    (7, interval '1 day')
) as late (price, since);
select pg_temp.raises(
    $$select wallet.set_price('sms', 'segment', 7, 'usd', 'ann', p_effective_from => now() - interval '2 days')$$,
    'WL006', 'p_effective_from', 'and another price than was in effect then is misuse'
);

-- An organization's own.
select pg_temp.answers(
    wallet.set_price('call', 'minute', 70, 'usd', 'ann', p_org_id => pg_temp.org('acme')),
    jsonb_build_object('success', true, 'duplicate', false, 'org_id', pg_temp.org('acme')),
    'an organization may keep the price of today as its own'
);
do $$
begin
    perform wallet.set_price('call', 'minute', 90, 'usd', 'ann');
    perform wallet.set_price('call', 'minute', 60, 'usd', 'ann', p_org_id => pg_temp.org('globex'));
end $$;
select is(pg_temp.cost('acme'), 56::bigint, 'and pays it when the general one has changed');
select is(pg_temp.cost('globex'), 48::bigint, 'another has another');
select is(pg_temp.cost('nobody'), null, 'and who has no wallet has no price');
select pg_temp.answers(
    wallet.set_price('call', 'minute', null, 'usd', 'ann', p_org_id => pg_temp.org('acme')),
    '{"success": true, "duplicate": false, "unit_price": null}',
    'an own price is withdrawn'
);
select is(pg_temp.cost('acme'), 72::bigint, 'and the general one applies');
select is(pg_temp.cost('globex'), 48::bigint, 'to that organization alone');
select pg_temp.answers(
    wallet.set_price('call', 'minute', null, 'usd', 'ann', p_org_id => pg_temp.org('acme')),
    '{"success": true, "duplicate": true}',
    'what is withdrawn is not withdrawn again'
);
select pg_temp.answers(
    wallet.set_price('sms', 'segment', null, 'usd', 'ann', p_org_id => pg_temp.org('acme')),
    '{"success": true, "duplicate": true, "price_id": null}',
    'nor is what never was'
);
select pg_temp.answers(
    wallet.set_price('call', 'minute', 60, 'usd', 'ann', p_org_id => pg_temp.org('acme')),
    '{"success": true, "duplicate": false}',
    'it may come again'
);
select pg_temp.answers(
    wallet.set_price('sms', 'segment', 1, 'usd', 'ann', p_org_id => pg_temp.org('nobody')),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);

-- By either of a service's names.
select pg_temp.answers(
    wallet.set_price(name, 'number', price, 'gbp', 'ann'),
    jsonb_build_object('success', true, 'duplicate', false, 'service', 'phone_number'),
    'the price of a number goes by ' || name
)
from (values ('phone_number', 300), ('phone_provisioning', 350)) as known (name, price);
select is(
    wallet.price_usage(pg_temp.org('acme'), 'phone_provisioning', 1, now()) -> 'amount_pence', '350', 'and is one price'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.set_price(%L, %L, %L, %L, %L, %L, %L)', service, unit, price, currency, actor, rounding, at),
    sqlstate, field, format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 'minute', '1', 'gbp', 'ann', 'up', null, 'WL001', 'p_service'),
    ('yacht', 'minute', '1', 'gbp', 'ann', 'up', null, 'WL006', 'p_service'),
    ('call', null, '1', 'gbp', 'ann', 'up', null, 'WL001', 'p_unit'),
    ('call', 'segment', '1', 'gbp', 'ann', 'up', null, 'WL006', 'p_unit'),
    ('call', 'fortnight', '1', 'gbp', 'ann', 'up', null, 'WL006', 'p_unit'),
    ('call', 'minute', null, 'gbp', 'ann', 'up', null, 'WL001', 'p_unit_price'),
    ('call', 'minute', '-0.1', 'gbp', 'ann', 'up', null, 'WL002', 'p_unit_price'),
    ('call', 'minute', '0.000000001', 'gbp', 'ann', 'up', null, 'WL002', 'p_unit_price'),
    ('call', 'minute', '1000000000000', 'gbp', 'ann', 'up', null, 'WL002', 'p_unit_price'),
    ('call', 'minute', 'nan', 'gbp', 'ann', 'up', null, 'WL002', 'p_unit_price'),
    ('call', 'minute', 'infinity', 'gbp', 'ann', 'up', null, 'WL002', 'p_unit_price'),
    ('call', 'minute', '1', 'GBP', 'ann', 'up', null, 'WL006', 'p_currency'),
    ('call', 'minute', '1', null, 'ann', 'up', null, 'WL001', 'p_currency'),
    ('call', 'minute', '1', 'gbp', null, 'up', null, 'WL001', 'p_actor'),
    ('call', 'minute', '1', 'gbp', ' ', 'up', null, 'WL005', 'p_actor'),
    ('call', 'minute', '1', 'gbp', 'ann', null, null, 'WL001', 'p_rounding'),
    ('call', 'minute', '1', 'gbp', 'ann', 'even', null, 'WL006', 'p_rounding'),
    ('call', 'minute', '1', 'gbp', 'ann', 'up', 'infinity', 'WL006', 'p_effective_from')
) as misuse (service, unit, price, currency, actor, rounding, at, sqlstate, field);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    array[
        pg_temp.outcome('service_role', '', $$select wallet.set_price('sms', 'segment', 9, 'gbp', 'a') ->> 'success'$$),
        pg_temp.outcome('authenticated', '', $$select wallet.set_price('sms', 'segment', 9, 'gbp', 'a')$$),
        pg_temp.outcome('service_role', '', $$update wallet.prices set unit_price = 0$$),
        pg_temp.outcome('service_role', '', $$delete from wallet.prices$$),
        pg_temp.outcome('authenticated', '', $$select count(*) from wallet.prices$$)
    ],
    array['true', '42501', '42501', '42501', '42501'],
    'backends set prices, by this function alone'
);

select * from finish();
rollback;
