begin;
select plan(16);
\ir ../support.sql

create function pg_temp.limits(p_currency text) returns text
language sql stable
return (select format('%s to %s by %s', min_pence, max_pence,
updated_by) from wallet.topup_limits where currency = p_currency);

select is(pg_temp.limits(currency), '500 to 100000 by migration', format('%s has limits from the start', currency))
from unnest(array['gbp', 'usd', 'eur']) as currency;
select is(
    wallet.set_topup_limits('gbp', 1000, 20000, 'ann'),
    '{"success": true, "currency": "gbp", "min_pence": 1000, "max_pence": 20000}',
    'limits are changed'
);
select is(pg_temp.limits('gbp'), '1000 to 20000 by ann', 'and kept, with who did it');
do $$ begin perform wallet.set_topup_limits('jpy', 700, 700, 'ann'); end $$;
select is(pg_temp.limits('jpy'), '700 to 700 by ann', 'another currency is offered from then on');

select pg_temp.raises(
    format('select wallet.set_topup_limits(%L, %L, %L, %L)', currency, low, high, actor), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 1, 2, 'ann', 'WL001', 'p_currency'),
    ('GBP', 1, 2, 'ann', 'WL006', 'p_currency'),
    ('gbp', null, 2, 'ann', 'WL001', 'p_min_pence'),
    ('gbp', 0, 2, 'ann', 'WL002', 'p_min_pence'),
    ('gbp', 1, null, 'ann', 'WL001', 'p_max_pence'),
    ('gbp', 3, 2, 'ann', 'WL006', 'p_max_pence'),
    ('gbp', 1, 2, null, 'WL001', 'p_actor'),
    ('gbp', 1, 2, ' ', 'WL005', 'p_actor')
) as misuse (currency, low, high, actor, sqlstate, field);

select throws_ok(
    'insert into wallet.topup_limits (currency, min_pence, max_pence) values (''chf'', 2, 1)',
    '23514', 'new row for relation "topup_limits" violates check constraint "topup_limits_max_pence_check"',
    'the table refuses limits the wrong way round'
);
select is(pg_temp.limits('gbp'), '1000 to 20000 by ann', 'what was refused has changed nothing');

select * from finish();
rollback;
