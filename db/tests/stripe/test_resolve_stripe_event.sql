begin;
select plan(17);
\ir ../support.sql
\ir events.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.deliver('evt_1', 'payment_intent.succeeded', pg_temp.intent('nobody'));
    perform pg_temp.deliver('evt_2', 'payment_intent.succeeded', pg_temp.intent('acme'));
    perform pg_temp.deliver('evt_3', 'customer.created', '{"id": "cus_1"}');
    perform pg_temp.deliver('evt_4', 'refund.created', pg_temp.refund('nobody'));
end $$;

select pg_temp.answers(
    wallet.resolve_stripe_event('evt_1', 'ann', 'Refunded by hand'),
    '{"success": true, "duplicate": false, "event_id": "evt_1"}',
    'a person settles a failed event'
);
select pg_temp.answers(
    to_jsonb(w),
    '{
        "status": "resolved", "resolved_by": "ann", "resolution": "Refunded by hand",
        "error_code": "organization_not_found"
    }',
    'who and how is kept, beside why it failed'
)
from wallet.processed_stripe_webhooks as w
where event_id = 'evt_1';
select pg_temp.answers(
    wallet.resolve_stripe_event('evt_1', 'bob', 'Me too'), '{"success": true, "duplicate": true}',
    'a second person is told that it is settled'
);
select is(
    (select resolved_by::text from wallet.processed_stripe_webhooks where event_id = 'evt_1'), 'ann',
    'and changes nothing'
);
do $$ begin perform pg_temp.open_wallet('nobody'); end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_1', 'payment_intent.succeeded', pg_temp.intent('nobody')), '{"outcome": "duplicate"}',
    'it is never applied, also where it could be now'
);
select pg_temp.answers(
    wallet.replay_stripe_event('evt_1'), '{"outcome": "duplicate"}', 'nor by a replay'
);
select is(pg_temp.balance(pg_temp.org('nobody')), 0::bigint, 'it credits nothing');
select pg_temp.answers(wallet.get_health(), '{"events_failed": 0}', 'and is no failed event any more');

select pg_temp.answers(
    wallet.resolve_stripe_event(event, 'ann', 'x'),
    jsonb_build_object('success', false, 'error', 'event_not_failed', 'event_id', event, 'status', status),
    format('an event that is %s isn''t settled by hand', status)
)
from (values ('evt_2', 'processed'), ('evt_3', 'ignored'), ('evt_4', 'pending')) as other (event, status);
select pg_temp.answers(
    wallet.resolve_stripe_event('evt_unknown', 'ann', 'x'),
    '{"success": false, "error": "event_not_found", "event_id": "evt_unknown"}',
    'nor one that never came'
);
select pg_temp.raises(
    format('select wallet.resolve_stripe_event(%s)', arguments), sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, ''ann'', ''x''', 'WL001', 'event_id'),
    ('''evt_1'', null, ''x''', 'WL001', 'actor'),
    ('''evt_1'', ''ann'', null', 'WL001', 'note'),
    ('''evt_1'', ''ann'', '' ''', 'WL005', 'note')
) as misuse (arguments, sqlstate, field);
select throws_ok(
    'update wallet.processed_stripe_webhooks set status = ''resolved'' where event_id = ''evt_2''', '23514', null,
    'an event can''t be settled without a person and a word'
);

select * from finish();
rollback;
