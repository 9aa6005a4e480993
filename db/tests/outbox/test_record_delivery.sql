begin;
select plan(32);
\ir ../support.sql
\ir messages.sql

-- Delivered.
do $$
begin
    perform pg_temp.emit('one');
    perform pg_temp.claim('ann');
end $$;
select is(
    pg_temp.record('one', 'ann', array['webhook', 'log']),
    jsonb_build_object(
        'success', true, 'message_id', (pg_temp.message('one')).id, 'status', 'delivered', 'attempts', 1,
        'next_try_at', null
    ),
    'a message that went out without an error is delivered'
);
select pg_temp.answers(
    to_jsonb(pg_temp.message('one')),
    jsonb_build_object('claimed_by', null, 'delivered_at', now(), 'delivered_to', array['log', 'webhook']),
    'with its time and channels'
);
select pg_temp.answers(
    pg_temp.record('one', 'ann', array['webhook', 'log']), '{"success": true, "status": "delivered", "attempts": 1}',
    'telling so twice changes nothing'
);

-- Failed: 2, 4, 8 seconds and growing, up to an hour, and dead in the end.
do $$ begin perform pg_temp.emit('two'); end $$;
create temporary table attempt (number integer, claimed text, answer jsonb, pause interval);
do $$
begin
    for v_number in 1..24 loop
        insert into attempt (number, claimed) values (v_number, pg_temp.claim('ann'));
        update attempt set answer = pg_temp.record('two', 'ann', '{}', 'slack: HTTP 500 no. ' || v_number)
        where number = v_number;
        update attempt set pause = (answer ->> 'next_try_at')::timestamptz - now() where number = v_number;
        perform pg_temp.let_time_pass();
    end loop;
end $$;
select is(
    (select array_agg(extract(epoch from pause)::integer order by number) from attempt),
    array[2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]
    || array_fill(3600, array[12])
    || array[null::integer],
    'the pauses double from 2 seconds to an hour'
);
select is(
    (select array_agg(distinct claimed) from attempt), array['two'], 'at the end of each the message is tried again'
);
select is(
    (select string_agg(answer ->> 'status', ' ' order by number) from attempt where number > 22), 'pending dead',
    'after 24 attempts it is given up'
);
select pg_temp.answers(
    to_jsonb(pg_temp.message('two')),
    '{
        "status": "dead", "attempts": 24, "last_error": "slack: HTTP 500 no. 24", "claimed_by": null,
        "delivered_at": null, "delivered_to": []
    }',
    'with its last error'
);
select is(pg_temp.claim('ann'), null, 'and no worker gets it any more');

-- Halfway.
do $$
begin
    perform pg_temp.emit('three');
    perform pg_temp.claim('ann');
end $$;
select pg_temp.answers(
    pg_temp.record('three', 'ann', array['log'], 'slack: TimeoutError'),
    jsonb_build_object('success', true, 'status', 'pending', 'next_try_at', now() + interval '2 seconds'),
    'a message that one channel lacks is tried again'
);
do $$
begin
    perform pg_temp.let_time_pass();
    perform pg_temp.claim('ann');
end $$;
select pg_temp.answers(
    pg_temp.record('three', 'ann', array['slack']), '{"status": "delivered", "attempts": 2}',
    'until that channel has it too'
);
select is((pg_temp.message('three')).delivered_to, array['log', 'slack'], 'and both are noted');

-- A worker that was away for longer than its lease.
do $$
begin
    perform pg_temp.emit('four');
    perform pg_temp.claim('ann');
    perform pg_temp.let_time_pass();
    perform pg_temp.claim('bob');
end $$;
select pg_temp.answers(
    pg_temp.record('four', 'ann', array['log'], 'slack: HTTP 500'),
    jsonb_build_object('success', true, 'status', 'pending', 'next_try_at', now() + interval '60 seconds'),
    'an error of a worker that lost the message leaves it with the one that has it'
);
select pg_temp.answers(
    to_jsonb(pg_temp.message('four')), '{"claimed_by": "bob", "last_error": null, "delivered_to": ["log"]}',
    'but the channel that has it from there is noted'
);
select pg_temp.answers(
    pg_temp.record('four', 'ann', array['slack']), '{"status": "delivered"}',
    'a success counts whoever reports it'
);
select pg_temp.answers(
    pg_temp.record('four', 'bob', array['webhook'], 'slack: HTTP 429'),
    '{"success": true, "status": "delivered", "next_try_at": null}',
    'and no later error undoes it'
);
select pg_temp.answers(
    to_jsonb(pg_temp.message('four')),
    jsonb_build_object(
        'status', 'delivered', 'last_error', null, 'delivered_at', now(), 'delivered_to',
        array['log', 'slack', 'webhook']
    ),
    'every channel that has the message is noted'
);
select pg_temp.answers(
    pg_temp.record('two', 'bob', '{}', 'slack: HTTP 500'), '{"success": true, "status": "dead", "attempts": 24}',
    'a late error leaves a dead message dead'
);
select is((pg_temp.message('two')).last_error, 'slack: HTTP 500 no. 24', 'with the error that it died of');
select pg_temp.answers(
    pg_temp.record('two', 'bob', array['log', 'slack']), '{"success": true, "status": "delivered"}',
    'a late success is one'
);

-- Before its lease is claimed by another, a slow worker still has it.
do $$
begin
    perform pg_temp.emit('five');
    perform pg_temp.claim('ann');
    perform pg_temp.let_time_pass();
end $$;
select pg_temp.answers(
    pg_temp.record('five', 'ann', '{}', 'slack: HTTP 500'),
    jsonb_build_object('status', 'pending', 'next_try_at', now() + interval '2 seconds'),
    'an error is counted as long as nobody else has taken the message'
);
select pg_temp.answers(
    pg_temp.record('five', 'ann', '{}', 'slack: HTTP 501'),
    jsonb_build_object('status', 'pending', 'next_try_at', now() + interval '2 seconds'),
    'and once'
);

create temporary table before_misuse as select pg_temp.everything() as state;
select is(
    wallet.record_delivery('00000000-0000-0000-0000-000000000000', 'ann', '{}'),
    '{
        "success": false, "error": "message_not_found", "message_id": "00000000-0000-0000-0000-000000000000",
        "message": "There is no message 00000000-0000-0000-0000-000000000000."
    }',
    'an unknown message is refused'
);
select pg_temp.raises(
    format('select wallet.record_delivery(%s)', arguments), sqlstate, field, arguments || ' is misuse'
)
from (
    values
    ('null, ''ann'', ''{}''', 'WL001', 'p_message_id'),
    ('gen_random_uuid(), null, ''{}''', 'WL001', 'p_worker'),
    ('gen_random_uuid(), '' '', ''{}''', 'WL005', 'p_worker'),
    ('gen_random_uuid(), ''ann'', null', 'WL001', 'p_delivered_to'),
    ('gen_random_uuid(), ''ann'', ''{}'', '' ''', 'WL005', 'p_error'),
    ('gen_random_uuid(), ''ann'', ''{}'', repeat(''e'', 256)', 'WL005', 'p_error')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'neither writes anything') from before_misuse;

-- What no function would write, the table refuses by itself.
select throws_ok(
    'update wallet.outbox_messages set ' || assignment, '23514', null,
    format('a message can''t have %s', assignment)
)
from
    unnest(
        array['status = ''delivered'', delivered_at = null', 'status = ''dead'', last_error = null']
    ) as assignment;

select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.record_delivery(uuid, text, text[], text)', 'execute')
    ),
    array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);

select * from finish();
rollback;
