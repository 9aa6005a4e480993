begin;
select plan(18);
\ir ../support.sql

create function pg_temp.rate(p_name text, p_at timestamptz, p_from text default 'usd', p_to text default 'gbp')
returns numeric
language sql stable
return wallet.find_exchange_rate(pg_temp.org(p_name), p_from, p_to, p_at);

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
end $$;

select is(pg_temp.rate('acme', now()), 0.79, 'a dollar is 79 pence from the start');
select is(pg_temp.rate('acme', now())::text, '0.79', 'said with no more decimals than it has');
select is(pg_temp.rate('acme', '-infinity'), 0.79, 'however long ago it was');
select is(pg_temp.rate(null, now()), 0.79, 'the general rate is for all');
select is(pg_temp.rate('acme', now(), 'gbp', 'usd'), null, 'a rate is never turned round');
select is(pg_temp.rate('acme', now(), 'usd', 'jpy'), null, 'where there is none there is none');
select is(pg_temp.rate('acme', now(), 'jpy', 'jpy'), 1::numeric, 'a currency in itself is 1');

insert into wallet.exchange_rates (org_id, from_currency, to_currency, rate, effective_from)
values
(null, 'usd', 'gbp', 0.8, '2030-01-01 00:00+00'),
(pg_temp.org('acme'), 'usd', 'gbp', 0.7, '2030-02-01 00:00+00'),
(null, 'usd', 'gbp', 0.9, '2030-03-01 00:00+00'),
(pg_temp.org('acme'), 'usd', 'gbp', null, '2030-04-01 00:00+00'),
(null, 'gbp', 'usd', 1.3, '2030-01-01 00:00+00');

select is(pg_temp.rate('acme', at::timestamptz), rate, format('at %s it is %s: %s', at, rate, why))
from (
    values
    ('2029-12-31 23:59:59.999999+00', 0.79, 'a microsecond before the change'),
    ('2030-01-01 00:00:00+00', 0.8, 'at the change'),
    ('2030-01-31 23:59:59.999999+00', 0.8, 'a microsecond before the organization''s own'),
    ('2030-02-01 00:00:00+00', 0.7, 'the organization''s own goes before the general one'),
    ('2030-03-31 23:59:59.999999+00', 0.7, 'also before a newer general one'),
    ('2030-04-01 00:00:00+00', 0.9, 'until it is withdrawn')
) as moment (at, rate, why);
select is(pg_temp.rate('globex', '2030-02-15'), 0.8, 'another organization''s rate is none of ours');
select is(pg_temp.rate('acme', '2030-02-15', 'gbp', 'usd'), 1.3, 'nor is the rate the other way');

insert into wallet.exchange_rates (org_id, from_currency, to_currency, rate)
values (pg_temp.org('acme'), 'usd', 'jpy', 150);
select is(pg_temp.rate('globex', now(), 'usd', 'jpy'), null, 'nor is it where there is no general one');

insert into wallet.exchange_rates (from_currency, to_currency, rate, effective_from)
values ('usd', 'gbp', 0.91, '2030-03-01 00:00+00'), ('usd', 'gbp', 0.92, '2030-03-01 00:00+00');
select is(pg_temp.rate('globex', '2030-03-01'), 0.92, 'of two at the same time the last one applies');
insert into wallet.exchange_rates (from_currency, to_currency, rate, effective_from)
values ('usd', 'gbp', 0.1, '2030-02-28 00:00+00');
select is(pg_temp.rate('globex', '2030-03-01'), 0.92, 'but one for an earlier time doesn''t, written when it may');

select * from finish();
rollback;
