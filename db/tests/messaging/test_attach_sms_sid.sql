begin;
select plan(19);
\ir ../support.sql
\ir sms.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.charge_sms(pg_temp.org('acme'), 'm1', 2);
    perform wallet.charge_sms(pg_temp.org('acme'), 'm2');
end $$;

create temporary table attached as
select wallet.attach_sms_sid(pg_temp.org('acme'), 'm1', 'SM1') as answer;
select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'message_id', 'm1', 'twilio_sid', 'SM1',
        'segments', 2, 'price_pence', 8, 'status', null, 'refunded_pence', 0
    ),
    'a charged message gets its Twilio id'
)
from attached;
select is(pg_temp.sms('acme', 'm1'), 'SM1 -', 'which is recorded');

create temporary table before_replay as select pg_temp.everything() as state;
select is(
    wallet.attach_sms_sid(pg_temp.org('acme'), 'm1', 'SM1'), answer || '{"duplicate": true}', 'once'
)
from attached;
select pg_temp.answers(
    wallet.attach_sms_sid(pg_temp.org('acme'), 'm1', 'SM2'),
    '{"success": false, "error": "idempotency_conflict", "original_twilio_sid": "SM1",
      "attempted_twilio_sid": "SM2"}',
    'another id is a conflict'
);
select pg_temp.answers(
    wallet.attach_sms_sid(pg_temp.org('acme'), 'm2', 'SM1'),
    '{"success": false, "error": "idempotency_conflict", "original_message_id": "m1"}',
    'so is another message''s'
);
select pg_temp.answers(
    wallet.attach_sms_sid(pg_temp.org('acme'), 'm3', 'SM3'),
    '{"success": false, "error": "message_not_charged", "message_id": "m3"}',
    'what was not charged is refused'
);
select pg_temp.answers(
    wallet.attach_sms_sid(pg_temp.org('nobody'), 'm1', 'SM3'),
    '{"success": false, "error": "organization_not_found"}', 'an unknown organization is refused'
);
select is(pg_temp.everything(), state, 'replays and refusals write nothing') from before_replay;

select is(
    pg_temp.tell('SM2', 'failed', '{"ErrorCode": "30008"}'), 'pending', 'a message fails before its id is attached'
);
select pg_temp.answers(
    wallet.attach_sms_sid(pg_temp.org('acme'), 'm2', 'SM2'),
    '{"duplicate": false, "status": "failed", "error_code": "30008", "refunded_pence": 4}',
    'and its charge is given back when it is'
);
select is(pg_temp.balance(pg_temp.org('acme')), 992::bigint, 'to the wallet');
select is_empty('select from wallet.sms_callbacks', 'and nothing is parked any more');

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    $$select wallet.attach_sms_sid(null, 'm1', 'SM1')$$, 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    $$select wallet.attach_sms_sid(pg_temp.org('acme'), null, 'SM1')$$, 'WL001', 'message_id', 'a message is required'
);
select pg_temp.raises(
    $$select wallet.attach_sms_sid(pg_temp.org('acme'), 'm1', null)$$, 'WL001', 'twilio_sid', 'a Twilio id is required'
);
select pg_temp.raises(
    $$select wallet.attach_sms_sid(pg_temp.org('acme'), 'm1', ' ')$$, 'WL005', 'twilio_sid', 'a blank one is misuse'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    (
        select string_agg(
            pg_temp.outcome(
                r, null, $q$select wallet.attach_sms_sid(pg_temp.org('acme'), 'm1', 'SM1') ->> 'success'$q$
            ),
            ' ' order by r
        )
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as r
    ),
    '42501 42501 true 42501 42501',
    'it is for backends'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
