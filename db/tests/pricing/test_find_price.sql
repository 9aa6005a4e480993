begin;
select plan(19);
\ir ../support.sql

create function pg_temp.price(p_name text, p_at timestamptz, p_service text default 'call') returns numeric
language sql stable
return trim_scale((wallet.find_price(pg_temp.org(p_name), p_service, p_at)).unit_price);

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
end $$;

select is(pg_temp.price('acme', now()), 70::numeric, 'a call costs 70 cents a minute from the start');
select is(pg_temp.price('acme', '-infinity'), 70::numeric, 'however long ago it was');
select is(pg_temp.price('nobody', now()), 70::numeric, 'the general price is for all');
select is(pg_temp.price(null, now()), 70::numeric, 'also without an organization');
select is((wallet.find_price(null, 'yacht', now())).id, null, 'what has no price has none');

insert into wallet.prices (org_id, service, unit, unit_price, currency, effective_from)
values
(null, 'call', 'minute', 80, 'usd', '2030-01-01 00:00+00'),
(pg_temp.org('acme'), 'call', 'minute', 60, 'usd', '2030-02-01 00:00+00'),
(null, 'call', 'minute', 90, 'usd', '2030-03-01 00:00+00'),
(pg_temp.org('acme'), 'call', 'minute', null, 'usd', '2030-04-01 00:00+00'),
(pg_temp.org('acme'), 'call', 'minute', 50, 'usd', '2030-05-01 00:00+00');

select is(pg_temp.price('acme', at::timestamptz), price::numeric, format('at %s it is %s: %s', at, price, why))
from (
    values
    ('2029-12-31 23:59:59.999999+00', 70, 'a microsecond before the change'),
    ('2030-01-01 00:00:00+00', 80, 'at the change'),
    ('2030-01-01 00:00:00.000001+00', 80, 'after it'),
    ('2030-01-31 23:59:59.999999+00', 80, 'a microsecond before the organization''s own'),
    ('2030-02-01 00:00:00+00', 60, 'the organization''s own goes before the general one'),
    ('2030-03-15 00:00:00+00', 60, 'also before a newer general one'),
    ('2030-03-31 23:59:59.999999+00', 60, 'until it is withdrawn'),
    ('2030-04-01 00:00:00+00', 90, 'then the general one applies, as it is by then'),
    ('2030-05-01 00:00:00+00', 50, 'and an own one may come again')
) as moment (at, price, why);
select is(pg_temp.price('globex', '2030-02-15'), 80::numeric, 'another organization''s price is none of ours');
select is(
    pg_temp.price('acme', '2030-02-15', 'sms'), 5::numeric, 'and neither is that of another service'
);

do $$ begin perform wallet.set_service('archive', 'token', 'license', true, 'ann'); end $$;
insert into wallet.prices (org_id, service, unit, unit_price, currency)
values (pg_temp.org('acme'), 'archive', 'token', 1, 'usd');
select is(pg_temp.price('globex', now(), 'archive'), null, 'nor is it where there is no general one');

-- Among equal times the one that was written last.
insert into wallet.prices (service, unit, unit_price, currency, effective_from)
values ('call', 'minute', 91, 'usd', '2030-03-01 00:00+00'), ('call', 'minute', 92, 'usd', '2030-03-01 00:00+00');
select is(pg_temp.price('globex', '2030-03-01'), 92::numeric, 'of two at the same time the last one applies');
insert into wallet.prices (service, unit, unit_price, currency, effective_from)
values ('call', 'minute', 10, 'usd', '2030-02-28 00:00+00');
select is(
    pg_temp.price('globex', '2030-03-01'), 92::numeric, 'but one for an earlier time doesn''t, written when it may'
);

select * from finish();
rollback;
