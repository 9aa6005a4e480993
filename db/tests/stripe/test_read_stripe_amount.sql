begin;
select plan(20);
\ir ../support.sql

select is(wallet.read_stripe_amount(object::jsonb, 'total.tax'), amount, format('%s says %s', object, amount))
from (
    values
    ('{"total": {"tax": 0}}', 0::bigint),
    ('{"total": {"tax": 5000}}', 5000),
    ('{"total": {"tax": 5000.00}}', 5000),
    ('{"total": {"tax": 5e3}}', 5000),
    ('{"total": {"tax": 9223372036854775807}}', 9223372036854775807)
) as told (object, amount);
select pg_temp.raises(
    format('select wallet.read_stripe_amount(%L, %L)', object, 'total.tax'), 'WL010', 'data.object.total.tax',
    format('%s says no amount', object)
)
from
    unnest(
        array[
            '{"total": {"tax": "5000"}}', '{"total": {"tax": -1}}', '{"total": {"tax": 0.5}}',
            '{"total": {"tax": true}}', '{"total": {"tax": null}}', '{"total": {"tax": {}}}',
            '{"total": {"tax": []}}', '{"total": 5000}', '{"total": {}}', '{}', '[]',
            '{"total": {"tax": 9223372036854775808}}', '{"total": {"tax": 1e400}}',
            '{"total": {"tax": -9223372036854775809}}'
        ]
    ) as object;
select pg_temp.raises(
    'select wallet.read_stripe_amount(null, ''amount'')', 'WL010', 'data.object.amount', 'nothing says no amount'
);

select * from finish();
rollback;
