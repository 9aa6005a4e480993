begin;
select plan(10);
\ir ../support.sql

-- What the tables themselves refuse.
select throws_ok(
    format($$insert into wallet.prices (service, unit, unit_price, currency, rounding) values (%s)$$, row_values),
    code, null, why
)
from (
    values
    ('''yacht'', ''query'', 1, ''gbp'', ''up''', '23503', 'a price is for something that has one'),
    ('''call'', ''fortnight'', 1, ''gbp'', ''up''', '23503', 'and by a known unit'),
    ('''call'', ''minute'', -1, ''gbp'', ''up''', '23514', 'nobody is paid for using something'),
    ('''call'', ''minute'', null, ''gbp'', ''up''', '23514', 'there is no withdrawing of the general price'),
    ('''call'', ''minute'', 1, ''gbp'', ''even''', '23514', 'and no other rounding')
) as wrong (row_values, code, why);
select throws_ok(
    'insert into wallet.exchange_rates (from_currency, to_currency, rate) values (''usd'', ''usd'', 1)', '23514', null,
    'a currency has no rate to itself'
);
select throws_ok(
    'insert into wallet.exchange_rates (from_currency, to_currency, rate) values (''usd'', ''sek'', null)', '23514',
    null, 'and there is no withdrawing of the general rate'
);
select throws_ok(
    'insert into wallet.gate_limits (service, minimum_pence, currency) values (''call'', null, ''gbp'')', '23514', null,
    'nor of the general minimum'
);

-- Pages that a price is read from, those of the functions that are called among them.
create function pg_temp.pages(p_org_id uuid) returns integer
language plpgsql
as $$
declare
    v_plan jsonb;
begin
    for i in 1 .. 2 loop
        execute 'explain (analyze, buffers, timing off, format json) select wallet.price_usage($1, ''call'', 91, now())'
        into v_plan using p_org_id;
    end loop;
    return (v_plan #>> '{0,Plan,Shared Hit Blocks}')::integer + (v_plan #>> '{0,Plan,Shared Read Blocks}')::integer;
end;
$$;

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
end $$;
create temporary table before as select pg_temp.pages(pg_temp.org('acme')) as pages;

-- A price and a rate for every hour of two years, and another organization with as many of its own.
insert into wallet.prices (org_id, service, unit, unit_price, currency, effective_from)
select org_id, 'call', 'minute', 70, 'usd', now() - n * interval '1 hour'
from generate_series(1, 17520) as n, unnest(array[null, pg_temp.org('globex')]) as org_id;
insert into wallet.exchange_rates (org_id, from_currency, to_currency, rate, effective_from)
select org_id, 'usd', 'gbp', 0.79, now() - n * interval '1 hour'
from generate_series(1, 17520) as n, unnest(array[null, pg_temp.org('globex')]) as org_id;

analyze wallet.prices, wallet.exchange_rates;

select cmp_ok(
    pg_temp.pages(pg_temp.org(name)), '<', pages + 60, format('a price is found among many as among few: %s', name)
)
from before, unnest(array['acme', 'globex']) as name;

select * from finish();
rollback;
