begin;
select plan(25);
\ir ../support.sql
\ir messages.sql

select pg_temp.answers(
    wallet.claim_messages('ann'), '{"success": true, "messages": []}', 'there may be nothing to deliver'
);

do $$ begin perform pg_temp.emit('one'); end $$;
create temporary table first as select wallet.claim_messages('ann') #> '{messages,0}' as claimed;
select is(
    claimed,
    jsonb_build_object(
        'id', (pg_temp.message('one')).id, 'topic', 'low_balance', 'org_id', pg_temp.org('acme'),
        'payload', '{"message": "one"}'::jsonb, 'created_at', now(), 'attempts', 1, 'delivered_to', '[]'::jsonb
    ),
    'a worker gets what it needs to deliver a message'
)
from first;
select pg_temp.answers(
    to_jsonb(pg_temp.message('one')),
    jsonb_build_object(
        'status', 'pending', 'claimed_by', 'ann', 'attempts', 1, 'next_try_at', now() + interval '60 seconds'
    ),
    'the message is its for a minute'
);
select is(pg_temp.claim('bob'), null, 'no other worker gets it meanwhile');
select is(pg_temp.claim('ann'), null, 'nor does the same one twice');

-- The worker died.
do $$ begin perform pg_temp.let_time_pass(); end $$;
select is(pg_temp.claim('bob'), 'one', 'a message whose lease is over is due again');
select pg_temp.answers(
    to_jsonb(pg_temp.message('one')), '{"claimed_by": "bob", "attempts": 2}', 'with another worker, as another attempt'
);

-- What is left of a delivery that went halfway.
do $$
begin
    perform pg_temp.record('one', 'bob', array['log'], 'slack: HTTP 500');
    perform pg_temp.let_time_pass();
end $$;
select is(
    wallet.claim_messages('ann') #> '{messages,0,delivered_to}', '["log"]', 'a worker is told which channels have it'
);

-- Due ones, longest due first, no more than asked for.
do $$
begin
    delete from wallet.outbox_messages;
    perform pg_temp.emit(message) from unnest(array['a', 'b', 'c', 'd', 'e', 'f']) as message;
    update wallet.outbox_messages
    set created_at = now() - minutes * interval '1 minute', next_try_at = now() - minutes * interval '1 minute'
    from unnest(array['b', 'a', 'd', 'c'], array[1, 2, 3, 4]) as waiting (message, minutes)
    where payload ->> 'message' = waiting.message;
    update wallet.outbox_messages set next_try_at = now() + interval '1 millisecond' where payload ->> 'message' = 'e';
    update wallet.outbox_messages set status = 'dead', last_error = 'x' where payload ->> 'message' = 'f';
end $$;
select is(pg_temp.claim('ann', 3), 'c, d, a', 'the messages that have waited longest come first');
select is(pg_temp.claim('ann', 3), 'b', 'then the rest, without what is not due yet or dead');

do $$
begin
    delete from wallet.outbox_messages;
    perform pg_temp.emit(n::text) from generate_series(1, 101) as n;
end $$;
select is(
    jsonb_array_length(wallet.claim_messages('ann') -> 'messages'), 20, 'unless told otherwise a worker takes 20'
);
select is(
    jsonb_array_length(wallet.claim_messages('ann', p_limit => 1, p_lease_seconds => 3600) -> 'messages'), 1,
    'it may take fewer'
);
select is(
    (select max(next_try_at) from wallet.outbox_messages), now() + interval '1 hour', 'and keep them longer'
);

-- However many messages were delivered before, the next is found at once.
select is(
    (
        select pg_get_expr(indpred, indrelid) from pg_index
        where indexrelid = 'wallet.outbox_messages_pending_idx'::regclass
    ),
    '((status)::text = ''pending''::text)',
    'there is an index of what is pending'
);

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(format('select wallet.claim_messages(%s)', arguments), sqlstate, field, arguments || ' is misuse')
from (
    values
    ('null', 'WL001', 'p_worker'),
    (''' ''', 'WL005', 'p_worker'),
    ('repeat(''w'', 256)', 'WL005', 'p_worker'),
    ('''ann'', null', 'WL001', 'p_limit'),
    ('''ann'', 0', 'WL006', 'p_limit'),
    ('''ann'', 101', 'WL006', 'p_limit'),
    ('''ann'', 1, null', 'WL001', 'p_lease_seconds'),
    ('''ann'', 1, 0', 'WL006', 'p_lease_seconds'),
    ('''ann'', 1, 3601', 'WL006', 'p_lease_seconds')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.claim_messages(text, integer, integer)', 'execute')
    ),
    array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);

select * from finish();
rollback;
