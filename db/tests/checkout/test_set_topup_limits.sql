begin;
select plan(35);
\ir ../support.sql

create function pg_temp.limits(p_currency text) returns text
language sql stable
return (select format('%s to %s by %s', min_pence, max_pence,
updated_by) from wallet.topup_limits where currency = p_currency);

select is(pg_temp.limits(currency), '500 to 100000 by migration', format('%s has limits from the start', currency))
from unnest(array['gbp', 'usd', 'eur']) as currency;
select is(
    wallet.set_topup_limits('gbp', 1000, 20000, 'ann'),
    '{
        "success": true, "currency": "gbp", "min_pence": 1000, "max_pence": 20000,
        "presets_pence": [1000, 2500, 5000, 10000]
    }',
    'limits are changed, and the amounts to choose from stay'
);
select is(pg_temp.limits('gbp'), '1000 to 20000 by ann', 'and kept, with who did it');
do $$ begin perform wallet.set_topup_limits('jpy', 700, 700, 'ann'); end $$;
select is(pg_temp.limits('jpy'), '700 to 700 by ann', 'another currency is offered from then on');

-- Amounts to choose from.
create function pg_temp.presets(p_currency text) returns text
language sql stable
return (select presets_pence::text from wallet.topup_limits where currency = p_currency);

select is(
    pg_temp.presets('jpy'), '{1000,2500,5000,10000}', 'a currency that is new has the usual amounts to choose from'
);
select pg_temp.answers(
    wallet.set_topup_limits('gbp', 1000, 20000, 'ann', presets),
    jsonb_build_object('success', true, 'presets_pence', presets),
    format('amounts to choose from: %s', presets)
)
from unnest(array['{}', '{1000}', '{20000,1000,5000}', '{1000,1001,1002,1003,1004,1005,1006,1007}']::text[]) as given,
lateral (values (given::bigint[])) as chosen (presets);
select is(pg_temp.presets('gbp'), '{1000,1001,1002,1003,1004,1005,1006,1007}', 'the last are kept');
select is(pg_temp.presets('usd'), '{1000,2500,5000,10000}', 'another currency''s stay');
do $$ begin perform wallet.set_topup_limits('gbp', 1000, 20000, 'ann'); end $$;
select is(
    pg_temp.presets('gbp'), '{1000,1001,1002,1003,1004,1005,1006,1007}',
    'where none are given, those that there are stay'
);
select pg_temp.raises(
    format('select wallet.set_topup_limits(''gbp'', 1000, 20000, ''ann'', %L)', presets), 'WL006', 'p_presets_pence',
    format('amounts to choose from are checked: %s', presets)
)
from
    unnest(
        array[
            '{999}', '{20001}', '{1000,null}', '{-5000}', '{0}', '{{1000,2000},{3000,4000}}',
            '{1000,1001,1002,1003,1004,1005,1006,1007,1008}'
        ]
    ) as presets;

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
select throws_ok(
    format('update wallet.topup_limits set presets_pence = %L', presets), '23514', null,
    format('the table refuses such amounts to choose from: %s', presets)
)
from unnest(array['{0}', '{-1}', '{1000,null}', '{1,2,3,4,5,6,7,8,9}']) as presets;
select is(pg_temp.limits('gbp'), '1000 to 20000 by ann', 'what was refused has changed nothing');

select * from finish();
rollback;
