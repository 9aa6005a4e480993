begin;
select plan(20);
\ir ../support.sql

create function pg_temp.check(p_changes jsonb) returns text
language sql
return wallet.check_auto_recharge(
    '{
        "threshold_pence": 500, "amount_pence": 5000, "max_per_day": 5, "max_per_month": 50, "max_pence_per_day": 50000,
        "max_pence_per_month": 200000, "cooldown_seconds": 900, "max_declines": 3
    }'::jsonb
    || p_changes
)::text;

select lives_ok(format('select pg_temp.check(%L)', changes), format('%s is allowed', changes))
from
    unnest(
        array[
            '{}', '{"threshold_pence": 0}', '{"threshold_pence": 4999}', '{"max_per_day": 50}',
            '{"max_per_day": 1, "max_per_month": 1}', '{"max_pence_per_day": 5000, "max_pence_per_month": 5000}',
            '{"cooldown_seconds": 60}', '{"cooldown_seconds": 604800}'
        ]
    ) as changes;
select pg_temp.raises(
    format('select pg_temp.check(%L)', changes), 'WL006', field, format('%s is not: %s', changes, field)
)
from (
    values
    ('{"amount_pence": 0}', 'p_amount_pence'),
    ('{"amount_pence": -1}', 'p_amount_pence'),
    ('{"threshold_pence": -1}', 'p_threshold_pence'),
    ('{"threshold_pence": 5000}', 'p_threshold_pence'),
    ('{"threshold_pence": 5001}', 'p_threshold_pence'),
    ('{"max_per_day": 0}', 'p_max_per_day'),
    ('{"max_per_day": 51}', 'p_max_per_day'),
    ('{"max_per_month": 4}', 'p_max_per_day'),
    ('{"max_pence_per_day": 4999}', 'p_max_pence_per_day'),
    ('{"max_pence_per_month": 49999}', 'p_max_pence_per_month'),
    ('{"cooldown_seconds": 59}', 'p_cooldown_seconds'),
    ('{"cooldown_seconds": 604801}', 'p_cooldown_seconds')
) as misuse (changes, field);

select * from finish();
rollback;
