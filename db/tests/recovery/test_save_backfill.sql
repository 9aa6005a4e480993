begin;
select plan(12);
\ir ../support.sql

create temporary table run as
select (wallet.begin_backfill(now() - interval '7 days', false) ->> 'backfill_id')::uuid as id;

select pg_temp.answers(
    wallet.save_backfill(id, now() - interval '6 days', '{"applied": 1}'),
    jsonb_build_object('success', true, 'backfill_id', id),
    'it is kept how far a run came'
)
from run;
select pg_temp.answers(
    to_jsonb(b),
    jsonb_build_object(
        'compared_until', now() - interval '6 days', 'counts', '{"applied": 1}'::jsonb, 'finished_at', null
    ),
    'with what it has found'
)
from wallet.stripe_backfills as b;
select pg_temp.answers(wallet.save_backfill(id, now(), '{"applied": 2}', true), '{"success": true}', 'to its end')
from run;
select ok(finished_at > started_at and updated_at > started_at, 'which is stamped') from wallet.stripe_backfills;
select pg_temp.answers(
    wallet.save_backfill(gen_random_uuid(), now(), '{}'), '{"success": false, "error": "backfill_not_found"}',
    'an unknown run is refused'
);

select pg_temp.raises(
    format('select wallet.save_backfill(%s)', arguments), 'WL001', field, format('%s is required', field)
)
from (
    values
    ('null, now(), ''{}''', 'p_backfill_id'),
    ('gen_random_uuid(), null, ''{}''', 'p_compared_until'),
    ('gen_random_uuid(), now(), null', 'p_counts'),
    ('gen_random_uuid(), now(), ''{}'', null', 'p_finished')
) as call (arguments, field);
select throws_ok(
    format('select wallet.save_backfill(%L, now() - interval ''8 days'', ''{}'')', id), '23514', null,
    'a run can''t end before its beginning'
)
from run;
select throws_ok(
    format('select wallet.save_backfill(%L, now(), ''[]'')', id), '23514', null, 'the counts are an object'
)
from run;
select is((select count(*) from wallet.stripe_backfills), 1::bigint, 'there is still one run');

select * from finish();
rollback;
