begin;
select plan(10);
\ir ../support.sql

select is(wallet.note_worker('ann', '1.0'), '{"success": true, "worker": "ann"}', 'a worker gives a sign of life');
select pg_temp.answers(
    to_jsonb(w), jsonb_build_object('worker', 'ann', 'version', '1.0', 'started_at', now(), 'seen_at', now()),
    'and is noted'
)
from wallet.workers as w;

do $$
begin
    update wallet.workers set started_at = now() - interval '2 days', seen_at = now() - interval '10 seconds';
    insert into wallet.workers (worker, version, seen_at) values
    ('bob', '1.0', now() - interval '1 day'), ('carl', '1.0', now() - interval '1 day 1 second');
    perform wallet.note_worker('ann', '1.0');
end $$;
select pg_temp.answers(
    to_jsonb(w), jsonb_build_object('started_at', now() - interval '2 days', 'seen_at', now()),
    'the next sign is of the same worker'
)
from wallet.workers as w
where worker = 'ann';
select is(
    (select string_agg(worker, ' ' order by worker) from wallet.workers), 'ann bob',
    'a worker that gave no sign for more than a day is forgotten'
);

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(format('select wallet.note_worker(%s)', arguments), sqlstate, field, arguments || ' is misuse')
from (
    values
    ('null, ''1.0''', 'WL001', 'p_worker'),
    (''' '', ''1.0''', 'WL005', 'p_worker'),
    ('''ann'', null', 'WL001', 'p_version'),
    ('''ann'', '' ''', 'WL005', 'p_version')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.note_worker(text, text)', 'execute')
    ),
    array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);

select * from finish();
rollback;
