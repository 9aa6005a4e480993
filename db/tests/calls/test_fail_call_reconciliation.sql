begin;
select plan(16);
\ir ../support.sql
\ir reports.sql
\ir runs.sql

do $$
begin
    perform pg_temp.claim('ann', 2);
    perform pg_temp.save('ann', 2, jsonb_build_array(pg_temp.call_of('a', 2)), '12 hours');
end $$;
create temporary table failure as select pg_temp.fail('ann', 2, 'Vapi: HTTP 500') as answer;
select is(
    answer,
    jsonb_build_object(
        'success', true, 'from', pg_temp.day(2), 'to', pg_temp.day(1), 'status', 'due',
        'next_try_at', pg_temp.run(2) -> 'next_try_at'
    ),
    'a window is given back'
)
from failure;
select pg_temp.answers(
    pg_temp.run(2),
    jsonb_build_object(
        'claimed_by', null, 'last_error', 'Vapi: HTTP 500', 'listed_back_to', pg_temp.day(2) + interval '12 hours'
    ),
    'with the error, and as far as it came'
);
select isnt_empty('select from wallet.provider_calls', 'what was listed is kept');

-- 1, 2, 4 minutes, and so on.
create temporary table pause (number integer, minutes numeric);
insert into pause values (1, pg_temp.pause(2));
do $$
begin
    for v_number in 2..9 loop
        perform pg_temp.claim('ann', 2);
        perform pg_temp.fail('ann', 2);
        insert into pause values (v_number, pg_temp.pause(2));
    end loop;
end $$;
select is(
    (select array_agg(minutes order by number) from pause), array[1, 2, 4, 8, 16, 32, 60, 60, 60]::numeric[],
    'each pause is twice the one before, up to an hour'
);
do $$
begin
    perform pg_temp.claim('ann', 2);
    perform pg_temp.save('ann', 2, '[]');
    perform pg_temp.finish('ann', 2);
    perform pg_temp.claim('ann', 2);
    perform pg_temp.fail('ann', 2);
end $$;
select is(pg_temp.pause(2), 1::numeric, 'once it was done, pauses begin anew');
do $$
begin
    perform pg_temp.claim('ann', 2);
    perform pg_temp.save('ann', 2, '[]');
    perform pg_temp.finish('ann', 2);
end $$;
select is(pg_temp.run(2) -> 'last_error', 'null', 'and the error is forgotten');

do $$ begin perform pg_temp.claim('ann', 2); end $$;
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.fail('bob', 2), '{"success": false, "error": "reconciliation_lost"}', 'another worker''s window is refused'
);
select pg_temp.answers(
    pg_temp.fail('ann', 3), '{"success": false, "error": "reconciliation_lost"}', 'and an unknown one'
);
select pg_temp.raises(
    format('select wallet.fail_call_reconciliation(%s)', arguments), sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, now(), now(), ''e''', 'WL001', 'p_worker'),
    ('''ann'', null, now(), ''e''', 'WL001', 'p_from'),
    ('''ann'', now(), null, ''e''', 'WL001', 'p_to'),
    ('''ann'', now(), now(), null', 'WL001', 'p_error'),
    ('''ann'', now(), now(), '' ''', 'WL005', 'p_error'),
    ('''ann'', now(), now(), repeat(''e'', 256)', 'WL005', 'p_error')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'neither writes anything') from before_refusals;
select is(
    pg_temp.callers('wallet.fail_call_reconciliation(text, timestamptz, timestamptz, text)'),
    array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);

select * from finish();
rollback;
