begin;
select plan(17);
\ir ../support.sql

do $$
begin
    perform wallet.emit_message('low_balance', pg_temp.org('acme'), '{"message": "Low.", "balance_pence": 499}');
end $$;
select is(
    to_jsonb(m) - 'id',
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'topic', 'low_balance', 'status', 'pending', 'attempts', 0,
        'payload', '{"message": "Low.", "balance_pence": 499}'::jsonb,
        'next_try_at', now(), 'created_at', now(), 'delivered_at', null, 'delivered_to', '[]'::jsonb,
        'claimed_by', null, 'last_error', null, 'replayed_by', null
    ),
    'a message waits in the outbox and is due at once'
)
from wallet.outbox_messages as m;

select lives_ok(
    format($$select wallet.emit_message(%L, null, '{"message": "x"}')$$, topic),
    format('%s is a topic, and need not concern an organization', topic)
)
from
    unnest(
        array[
            'low_balance', 'topup_completed', 'payment_failed', 'payment_reversed', 'event_failed', 'wallet_frozen',
            'recharge_failed', 'recharge_needs_action', 'recharge_unresolved', 'auto_recharge_disabled',
            'reliability_low'
        ]
    ) as topic;

select throws_ok(
    format('select wallet.emit_message(%s, null, %s)', topic, payload), sqlstate, null,
    format('a message can''t have topic %s and payload %s', topic, payload)
)
from (
    values
    ('''weather''', '''{}''', '23514'),
    ('null', '''{}''', '23502'),
    ('''low_balance''', 'null', '23502'),
    ('''low_balance''', '''"Low."''', '23514')
) as bad (topic, payload, sqlstate);

-- A message is part of the transaction that causes it.
do $$
begin
    perform wallet.emit_message('low_balance', null, '{"message": "undone"}');
    raise exception 'undone' using errcode = 'XX999';
exception
    when sqlstate 'XX999' then null;
end $$;
select is_empty(
    $$select from wallet.outbox_messages where payload ->> 'message' = 'undone'$$,
    'a message of a transaction that failed was never written'
);

select * from finish();
rollback;
