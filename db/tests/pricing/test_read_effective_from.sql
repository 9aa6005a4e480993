begin;
select plan(9);
\ir ../support.sql

select is(wallet.read_effective_from(null), now(), 'null is now');
select is(wallet.read_effective_from(now()), now(), 'now is now');
select is(
    wallet.read_effective_from(now() + interval '1 microsecond'), now() + interval '1 microsecond',
    'a future time is left as it is'
);
select is(wallet.read_effective_from(now() - interval '1 microsecond'), now(), 'a clock that is slow means now');
select is(wallet.read_effective_from(now() - interval '1 minute'), now(), 'by up to a minute');
select is(
    wallet.read_effective_from(now() - interval '1 minute 1 microsecond'), now() - interval '1 microsecond',
    'what is older stays in the past'
);
select ok(
    wallet.read_effective_from(now() - interval '1 day')
    between now() - interval '1 day' and now() - interval '23 hours',
    'about where it was'
);
select pg_temp.raises(
    format('select wallet.read_effective_from(%L)', value), 'WL006', 'p_effective_from', value || ' is no time'
)
from unnest(array['infinity', '-infinity']) as value;

select * from finish();
rollback;
