begin;
select plan(7);
\ir ../support.sql

select is(wallet.require_stripe_text('{"id": "re_1"}', 'id'), 're_1', 'a text that is there is answered');
select is(wallet.require_stripe_text('{"a": {"b": "c"}}', 'a.b'), 'c', 'at whatever depth');
select pg_temp.raises(
    format('select wallet.require_stripe_text(%L, ''id'')', object), 'WL010', 'data.object.id',
    format('%s has no id', object)
)
from unnest(array['{}', '{"id": null}', '{"id": ""}', '{"id": " "}', '{"id": 7}']) as object;

select * from finish();
rollback;
