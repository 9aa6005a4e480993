begin;
select plan(42);
\ir ../support.sql

create function pg_temp.rate(p_name text, p_at timestamptz default now()) returns numeric
language sql stable
return wallet.find_exchange_rate(pg_temp.org(p_name), 'usd', 'gbp', p_at);

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
end $$;

create temporary table change as
select wallet.set_exchange_rate('usd', 'gbp', 0.8123456789, 'ann') as answer;
select is(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'exchange_rate_id', r.id, 'org_id', null, 'from_currency', 'usd',
        'to_currency', 'gbp', 'rate', 0.8123456789, 'effective_from', now()
    ),
    'a rate is set, from now on'
)
from change, wallet.exchange_rates as r
where r.created_by = 'ann' and r.rate = 0.8123456789 and r.org_id is null;
select is(pg_temp.rate('acme'), 0.8123456789, 'and applies');
select is(pg_temp.rate('acme', now() - interval '1 microsecond'), 0.79, 'and what began before is converted as it was');

create temporary table before_repeat as select pg_temp.everything() as state;
select is(
    wallet.set_exchange_rate('usd', 'gbp', 0.8123456789, 'bob', at), answer || '{"duplicate": true}',
    'what is in effect is not written again: ' || why
)
from
    change,
    (
        values (null, 'now'), (now() - interval '30 seconds', 'by a slow clock'), (now() + interval '1 day', 'ahead')
    ) as again (at, why);
select is(pg_temp.everything(), state, 'and nothing is') from before_repeat;
select pg_temp.answers(
    wallet.set_exchange_rate('gbp', 'usd', 1.27, 'ann'), '{"success": true, "duplicate": false}',
    'the other way round is another rate'
);
select is(pg_temp.rate('acme'), 0.8123456789, 'and leaves the first as it was');

do $$ begin perform wallet.set_exchange_rate('usd', 'gbp', 0.9, 'ann', '2040-01-01 00:00+00'); end $$;
select is(pg_temp.rate('acme', '2039-12-31 23:59:59.999999+00'), 0.8123456789, 'a rate is set ahead');
select is(pg_temp.rate('acme', '2040-01-01 00:00+00'), 0.9, 'to the microsecond');
select pg_temp.raises(
    $$select wallet.set_exchange_rate('usd', 'gbp', 1, 'ann', now() - interval '1 minute 1 microsecond')$$,
    'WL006', 'p_effective_from', 'the past is not converted anew'
);
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'sek', 9.5, 'ann', '2020-01-01 00:00+00'),
    '{"success": true, "duplicate": false, "effective_from": "2020-01-01T00:00:00+00:00"}',
    'but the first rate there is may be dated back'
);
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'sek', 9.5, 'ann', '2020-01-01 00:00+00'),
    '{"success": true, "duplicate": true, "effective_from": "2020-01-01T00:00:00+00:00"}', 'once'
);
select pg_temp.raises(
    $$select wallet.set_exchange_rate('usd', 'sek', 9, 'ann', '2019-01-01 00:00+00')$$,
    'WL006', 'p_effective_from', 'and no other before it'
);
select pg_temp.raises(
    format($$select wallet.set_exchange_rate('usd', 'sek', 9, 'ann', '2021-01-01 00:00+00', %L)$$, pg_temp.org('acme')),
    'WL006', 'p_effective_from', 'nor one of an organization that has used it'
);
insert into wallet.exchange_rates (from_currency, to_currency, rate, effective_from)
values ('usd', 'eur', 0.9, now() - interval '1 day'), ('usd', 'eur', 1, now() - interval '1 hour');
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'eur', 0.9, 'ann', now() - interval '1 day'),
    '{"success": true, "duplicate": true}',
    'a late retry is told what was written'
);

-- An organization's own.
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'gbp', 0.7, 'ann', p_org_id => pg_temp.org('acme')),
    jsonb_build_object('success', true, 'duplicate', false, 'org_id', pg_temp.org('acme')),
    'an organization may have its own'
);
select is(pg_temp.rate('acme'), 0.7, 'which applies to it');
select is(pg_temp.rate('globex'), 0.8123456789, 'and to no other');
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'gbp', null, 'ann', p_org_id => pg_temp.org('acme')),
    '{"success": true, "duplicate": false, "rate": null}',
    'an own rate is withdrawn'
);
select is(pg_temp.rate('acme'), 0.8123456789, 'and the general one applies');
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'gbp', null, 'ann', p_org_id => pg_temp.org(name)),
    '{"success": true, "duplicate": true}',
    'what is not there is not withdrawn: ' || name
)
from unnest(array['acme', 'globex']) as name;
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'gbp', 0.7, 'ann', p_org_id => pg_temp.org('nobody')),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
do $$ begin perform wallet.set_exchange_rate('usd', 'gbp', 0.65, 'ann'); end $$;
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'gbp', 0.65, 'ann', p_org_id => pg_temp.org('acme')),
    '{"success": true, "duplicate": false}',
    'an organization may keep the rate of today as its own'
);
do $$ begin perform wallet.set_exchange_rate('usd', 'gbp', 0.6, 'ann'); end $$;
select is(pg_temp.rate('acme'), 0.65, 'and has it when the general one has changed');

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.set_exchange_rate(%L, %L, %L, %L, %L)', from_currency, to_currency, rate, actor, at),
    sqlstate, field, format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 'gbp', '1', 'ann', null, 'WL001', 'p_from_currency'),
    ('USD', 'gbp', '1', 'ann', null, 'WL006', 'p_from_currency'),
    ('usd', null, '1', 'ann', null, 'WL001', 'p_to_currency'),
    ('usd', 'usd', '1', 'ann', null, 'WL006', 'p_to_currency'),
    ('usd', 'gbp', null, 'ann', null, 'WL001', 'p_rate'),
    ('usd', 'gbp', '0', 'ann', null, 'WL002', 'p_rate'),
    ('usd', 'gbp', '-1', 'ann', null, 'WL002', 'p_rate'),
    ('usd', 'gbp', '0.00000000001', 'ann', null, 'WL002', 'p_rate'),
    ('usd', 'gbp', '10000000000', 'ann', null, 'WL002', 'p_rate'),
    ('usd', 'gbp', 'nan', 'ann', null, 'WL002', 'p_rate'),
    ('usd', 'gbp', '1', null, null, 'WL001', 'p_actor'),
    ('usd', 'gbp', '1', ' ', null, 'WL005', 'p_actor'),
    ('usd', 'gbp', '1', 'ann', '-infinity', 'WL006', 'p_effective_from')
) as misuse (from_currency, to_currency, rate, actor, at, sqlstate, field);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    array[
        pg_temp.outcome('service_role', '', $$select wallet.set_exchange_rate('usd', 'sek', 9, 'a') ->> 'success'$$),
        pg_temp.outcome('authenticated', '', $$select wallet.set_exchange_rate('usd', 'sek', 9, 'a')$$),
        pg_temp.outcome('service_role', '', $$update wallet.exchange_rates set rate = 1$$)
    ],
    array['true', '42501', '42501'],
    'backends set rates, by this function alone'
);

select * from finish();
rollback;
