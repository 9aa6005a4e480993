begin;
select plan(15);
\ir ../support.sql

select is(wallet.read_stripe_text(object::jsonb, 'card.id'), text, format('%s says %L', object, text))
from (
    values
    ('{"card": {"id": "pm_1"}}', 'pm_1'),
    ('{"card": {"id": " pm_1 "}}', 'pm_1'),
    ('{"card": {"id": ""}}', null),
    ('{"card": {"id": " "}}', null),
    ('{"card": {"id": null}}', null),
    ('{"card": {}}', null),
    ('{"card": null}', null),
    ('{"card": "x"}', null),
    ('{}', null)
) as told (object, text);
select is(wallet.read_stripe_text(null, 'card.id'), null, 'nothing says nothing');
select pg_temp.raises(
    format('select wallet.read_stripe_text(%L, %L)', object, 'card.id'), 'WL010', 'data.object.card.id',
    format('%s says no text', object)
)
from
    unnest(
        array[
            '{"card": {"id": 7}}', '{"card": {"id": true}}', '{"card": {"id": {}}}', '{"card": {"id": []}}',
            '{"card": {"id": ["pm_1"]}}'
        ]
    ) as object;

select * from finish();
rollback;
