begin;
select plan(13);
\ir ../support.sql

create function pg_temp.minimum(p_name text, p_at timestamptz, p_service text default 'call') returns bigint
language sql stable
return (wallet.find_gate_limit(pg_temp.org(p_name), p_service, p_at)).minimum_pence;

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
end $$;

select is(pg_temp.minimum('acme', now()), 79::bigint, 'a call asks for 79 pence from the start');
select is((wallet.find_gate_limit(null, 'call', now())).currency::text, 'gbp', 'of sterling');
select is(pg_temp.minimum('acme', now(), 'sms'), null, 'an SMS for nothing but its price');

insert into wallet.gate_limits (org_id, service, minimum_pence, currency, effective_from)
values
(null, 'call', 100, 'usd', '2030-01-01 00:00+00'),
(pg_temp.org('acme'), 'call', 0, 'gbp', '2030-02-01 00:00+00'),
(null, 'call', 120, 'usd', '2030-03-01 00:00+00'),
(pg_temp.org('acme'), 'call', null, 'gbp', '2030-04-01 00:00+00');

select is(pg_temp.minimum('acme', at::timestamptz), minimum::bigint, format('at %s it is %s: %s', at, minimum, why))
from (
    values
    ('2029-12-31 23:59:59.999999+00', 79, 'a microsecond before the change'),
    ('2030-01-01 00:00:00+00', 100, 'at the change'),
    ('2030-01-31 23:59:59.999999+00', 100, 'a microsecond before the organization''s own'),
    ('2030-02-01 00:00:00+00', 0, 'the organization''s own goes before the general one, 0 too'),
    ('2030-03-31 23:59:59.999999+00', 0, 'also before a newer general one'),
    ('2030-04-01 00:00:00+00', 120, 'until it is withdrawn')
) as moment (at, minimum, why);
select is(pg_temp.minimum('globex', '2030-02-15'), 100::bigint, 'another organization''s minimum is none of ours');

insert into wallet.gate_limits (org_id, service, minimum_pence, currency)
values (pg_temp.org('acme'), 'sms', 10, 'gbp');
select is(pg_temp.minimum('globex', now(), 'sms'), null, 'nor is it where there is no general one');

insert into wallet.gate_limits (service, minimum_pence, currency, effective_from)
values ('call', 121, 'usd', '2030-03-01 00:00+00'), ('call', 122, 'usd', '2030-03-01 00:00+00');
select is(pg_temp.minimum('globex', '2030-03-01'), 122::bigint, 'of two at the same time the last one applies');
insert into wallet.gate_limits (service, minimum_pence, currency, effective_from)
values ('call', 1, 'usd', '2030-02-28 00:00+00');
select is(
    pg_temp.minimum('globex', '2030-03-01'), 122::bigint, 'but one for an earlier time doesn''t, written when it may'
);

select * from finish();
rollback;
