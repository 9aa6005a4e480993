begin;
select plan(14);
\ir ../support.sql
\ir messages.sql

-- Three messages that were given up, one that waits and one that arrived.
do $$
begin
    perform pg_temp.emit(message) from unnest(array['one', 'two', 'three', 'waiting', 'delivered']) as message;
    update wallet.outbox_messages
    set status = 'dead', attempts = 24, last_error = 'slack: HTTP 404', delivered_to = array['log'],
        next_try_at = now() + interval '1 hour'
    where payload ->> 'message' in ('one', 'two', 'three');
    update wallet.outbox_messages set attempts = 3, next_try_at = now() + interval '8 seconds'
    where payload ->> 'message' = 'waiting';
    perform pg_temp.record('delivered', 'ann', array['log']);
end $$;

select is(
    wallet.replay_messages('sam', (pg_temp.message('one')).id), '{"success": true, "replayed": 1}',
    'one dead message is replayed'
);
select pg_temp.answers(
    to_jsonb(pg_temp.message('one')),
    jsonb_build_object(
        'status', 'pending', 'attempts', 0, 'next_try_at', now(), 'replayed_by', 'sam',
        'last_error', 'slack: HTTP 404', 'delivered_to', array['log']
    ),
    'it is due at once, with all its attempts, and says who wanted that'
);
select is((pg_temp.message('two')).status::text, 'dead', 'the others stay dead');
select is(
    wallet.replay_messages('sam', (pg_temp.message(message)).id), '{"success": true, "replayed": 0}',
    format('the one %s is left alone', message)
)
from unnest(array['waiting', 'delivered']) as message;
select pg_temp.answers(
    to_jsonb(pg_temp.message('waiting')),
    jsonb_build_object('attempts', 3, 'next_try_at', now() + interval '8 seconds', 'replayed_by', null),
    'and keeps its pause'
);

select is(wallet.replay_messages('sam'), '{"success": true, "replayed": 2}', 'all of them are replayed');
select is(wallet.replay_messages('sam'), '{"success": true, "replayed": 0}', 'once');
select is(jsonb_array_length(wallet.claim_messages('ann') -> 'messages'), 3, 'a worker gets them');

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.replay_messages('sam', '00000000-0000-0000-0000-000000000000'),
    '{"success": false, "error": "message_not_found", "message_id": "00000000-0000-0000-0000-000000000000"}',
    'an unknown message is refused'
);
select pg_temp.raises('select wallet.replay_messages(null)', 'WL001', 'p_actor', 'an actor is required');
select pg_temp.raises('select wallet.replay_messages('' '')', 'WL005', 'p_actor', 'a blank one is misuse');
select is(pg_temp.everything(), state, 'none of these writes anything') from before_misuse;

select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.replay_messages(text, uuid)', 'execute')
    ),
    array['service_role'],
    'only a backend may call it'
);

select * from finish();
rollback;
