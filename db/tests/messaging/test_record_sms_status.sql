begin;
select plan(57);
\ir ../support.sql
\ir sms.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.charge_sms(pg_temp.org('acme'), 'm1', 2, 'SM1');
    perform wallet.charge_sms(pg_temp.org('acme'), 'm2', 2);
end $$;

-- A message whose Twilio id is known.
select pg_temp.answers(
    wallet.record_sms_status(pg_temp.callback('SM1', 'sent')),
    jsonb_build_object(
        'success', true, 'outcome', 'processed', 'duplicate', false, 'org_id', pg_temp.org('acme'),
        'message_id', 'm1', 'twilio_sid', 'SM1', 'status', 'sent', 'refunded_pence', 0
    ),
    'a status is recorded'
);
create temporary table before_again as select pg_temp.everything() as state;
select is(pg_temp.tell('SM1', 'sent'), 'duplicate', 'the same one again is a duplicate');
select is(pg_temp.tell('SM1', 'queued'), 'ignored', 'an older one is ignored');
select is(pg_temp.everything(), state, 'and nothing is written') from before_again;
select pg_temp.answers(
    wallet.record_sms_status(pg_temp.callback('SM1', 'undelivered', '{"ErrorCode": "30005", "To": "+44"}')),
    '{"success": true, "outcome": "processed", "status": "undelivered", "error_code": "30005", "amount_pence": 8,
      "refunded_pence": 8, "balance_before": 984, "balance_after": 992}',
    'a message that was not delivered gives its charge back'
);
create temporary table before_ends as select pg_temp.everything() as state;
select is(pg_temp.tell('SM1', 'undelivered'), 'duplicate', 'once');
select is(pg_temp.tell('SM1', 'failed'), 'ignored', 'however it ends');
select is(pg_temp.tell('SM1', 'delivered'), 'ignored', 'and whatever else is told');
select is(pg_temp.everything(), state, 'and nothing is written') from before_ends;
select is(pg_temp.balance(pg_temp.org('acme')), 992::bigint, 'the balance has it once');

-- A message that the callback's URL names.
select pg_temp.answers(
    wallet.record_sms_status(pg_temp.callback('SM2', 'sent', pg_temp.names('acme', 'm2'))),
    '{"success": true, "outcome": "processed", "message_id": "m2", "twilio_sid": "SM2", "status": "sent"}',
    'a message is found by the names in the URL'
);
select is(pg_temp.sms('acme', 'm2'), 'SM2 sent', 'and learns its Twilio id');
select is(pg_temp.tell('SM2', 'delivered'), 'processed', 'by which it is found from then on');
select is(
    pg_temp.tell('SM2', 'delivered', pg_temp.names('acme', 'm2')), 'duplicate', 'also where the URL names it'
);
select is(
    pg_temp.tell('SM2', 'delivered', pg_temp.names('nobody', 'x')), 'duplicate',
    'a Twilio id that is known says more than the URL'
);
select is(
    pg_temp.tell('SM-else', 'failed', pg_temp.names('acme', 'm2')), 'pending',
    'what another one of Twilio''s ends in is no news of the message'
);
select is(pg_temp.sms('acme', 'm2'), 'SM2 delivered', 'which stays as it was');
select is(
    pg_temp.tell('SM2', 'read', '{"org_id": "", "message_id": ""}'), 'processed', 'blank names are none'
);

-- Before the message is known.
select pg_temp.answers(
    wallet.record_sms_status(pg_temp.callback('SM3', 'failed', '{"ErrorCode": 30003}')),
    '{"success": true, "outcome": "pending", "twilio_sid": "SM3", "status": "failed"}',
    'a status of an unknown message is parked'
);
select is(pg_temp.tell('SM3', 'sent'), 'pending', 'and so is an older one');
select is(pg_temp.tell('SM3', 'failed'), 'pending', 'and the same one');
select is(
    (select (status, error_code)::text from wallet.sms_callbacks where twilio_sid = 'SM3'), '(failed,30003)',
    'the one that is furthest waits'
);
select is(
    pg_temp.tell('SM4', 'failed', pg_temp.names('acme', 'm4')), 'pending', 'also one that the URL names'
);
select is(
    pg_temp.tell('SM5', 'failed', pg_temp.names('nobody', 'm5')), 'pending', 'and one of an unknown organization'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), 'm3', p_twilio_sid => 'SM3'),
    '{"status": "failed", "error_code": "30003", "refunded_pence": 4}', 'it is applied when the message is charged'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), 'm4'),
    '{"status": "failed", "twilio_sid": null, "refunded_pence": 4}',
    'without a Twilio id too, if the URL named the message'
);
select is(pg_temp.sms('acme', 'm4'), '- failed given back', 'as it is recorded');
do $$ begin perform wallet.charge_sms(pg_temp.org('acme'), 'late'); end $$;
select is(pg_temp.tell('SM6', 'failed'), 'pending', 'a message fails that is charged without its Twilio id');
select pg_temp.answers(
    wallet.record_sms_status(pg_temp.callback('SM6', 'sent', pg_temp.names('acme', 'late'))),
    '{"outcome": "ignored", "status": "failed", "refunded_pence": 4}',
    'and an older status that names it brings both together'
);

-- Statuses that are none of ours.
create temporary table before_ignored as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.record_sms_status(pg_temp.callback('SM9', s)),
    jsonb_build_object('success', true, 'outcome', 'ignored', 'status', s),
    s || ' is no status of a message that goes out'
)
from unnest(array['received', 'receiving', 'partially_delivered', 'Delivered', 'teleported']) as s;
select is(pg_temp.everything(), state, 'and nothing is written') from before_ignored;

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises('select wallet.record_sms_status(null)', 'WL013', 'callback', 'a callback is required');
select pg_temp.raises($$select wallet.record_sms_status('[]')$$, 'WL013', 'callback', 'a list is none');
select pg_temp.raises($$select wallet.record_sms_status('"SM1"')$$, 'WL013', 'callback', 'a text is none');
select pg_temp.raises(
    $$select wallet.record_sms_status('{"MessageStatus": "sent"}')$$, 'WL013', 'MessageSid', 'it needs a Twilio id'
);
select pg_temp.raises(
    $$select wallet.record_sms_status(pg_temp.callback(' ', 'sent'))$$, 'WL013', 'MessageSid', 'which is not blank'
);
select pg_temp.raises(
    $$select wallet.record_sms_status(pg_temp.callback(repeat('S', 256), 'sent'))$$, 'WL013', 'MessageSid',
    'nor longer than 255 characters'
);
select pg_temp.raises(
    $$select wallet.record_sms_status('{"MessageSid": {}, "MessageStatus": "sent"}')$$, 'WL013', 'MessageSid',
    'nor an object'
);
select pg_temp.raises(
    $$select wallet.record_sms_status('{"MessageSid": "SM1"}')$$, 'WL013', 'MessageStatus', 'it needs a status'
);
select pg_temp.raises(
    $$select wallet.record_sms_status('{"MessageSid": "SM1", "MessageStatus": ["sent"]}')$$, 'WL013',
    'MessageStatus', 'which is a text'
);
select pg_temp.raises(
    $$select wallet.record_sms_status(pg_temp.callback('SM1', 'sent', '{"ErrorCode": {}}'))$$, 'WL013', 'ErrorCode',
    'so is an error'
);
select pg_temp.raises(
    $$select wallet.record_sms_status(pg_temp.callback('SM1', 'sent', '{"org_id": "acme", "message_id": "m1"}'))$$,
    'WL013', 'org_id', 'an organization is a UUID'
);
select pg_temp.raises(
    $$select wallet.record_sms_status(pg_temp.callback('SM1', 'sent', '{"org_id": "acme"}'))$$, 'WL013', 'org_id',
    'also where no message is named'
);
select pg_temp.raises(
    $$select wallet.record_sms_status(pg_temp.callback('SM1', 'sent', '{"message_id": "m1"}'))$$, 'WL013', 'org_id',
    'a message needs its organization'
);
select pg_temp.raises(
    $$select wallet.record_sms_status(pg_temp.callback('SM1', 'sent', pg_temp.names('acme', '')))$$, 'WL013',
    'message_id', 'and an organization its message'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

-- Any order of any statuses ends alike.
do $$
begin
    perform pg_temp.open_wallet('orders', 10000);
    perform wallet.charge_sms(pg_temp.org('orders'), 'o' || n, p_twilio_sid => 'SMo' || n)
    from generate_series(1, 24) as n;
    perform pg_temp.tell('SMo' || n, s)
    from (
        select n, s, row_number() over (partition by n order by md5(s || n)) as turn
        from generate_series(1, 24) as n, unnest(array['queued', 'sending', 'sent', 'failed']) as s
    ) as told
    order by turn, n;
end $$;
select is(
    (
        select count(*) from wallet.sms_messages
        where org_id = pg_temp.org('orders') and status = 'failed' and refund_transaction_id is not null
    ),
    24::bigint, 'in whatever order its statuses come, a message that failed has failed'
);
select is(pg_temp.balance(pg_temp.org('orders')), 10000::bigint, 'and its charge was given back');

-- Locks and roles.
create function pg_temp.locks() returns bigint
language sql
as $$ select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() $$;
create temporary table before_locks as select pg_temp.locks() as locks;
do $$ begin perform pg_temp.tell('SM2', 'read'); end $$;
select is(pg_temp.locks(), locks, 'a Twilio id that a message has is not locked') from before_locks;
do $$ begin perform pg_temp.tell('SM-never', 'sent'); end $$;
select is(pg_temp.locks(), locks + 1, 'one that none has is') from before_locks;
select ok(not has_table_privilege('wallet_webhook', 'wallet.sms_messages', 'select'), 'the service reads no message');
select is(
    (
        select string_agg(
            pg_temp.outcome(
                r, null, $q$select wallet.record_sms_status(pg_temp.callback('SM2', 'read')) ->> 'outcome'$q$
            ),
            ' ' order by r
        )
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as r
    ),
    '42501 42501 duplicate duplicate 42501',
    'but it records statuses, as backends do'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
