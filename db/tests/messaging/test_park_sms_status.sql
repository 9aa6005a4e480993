begin;
select plan(8);
\ir ../support.sql

select pg_temp.answers(
    wallet.park_sms_status('SM1', 'sent', null, null, null),
    '{"success": true, "outcome": "pending", "twilio_sid": "SM1", "status": "sent"}',
    'a status that is parked is no failure'
);
select pg_temp.answers(
    wallet.park_sms_status('SM1', 'failed', '30003', pg_temp.org('acme'), 'm1'), '{"outcome": "pending"}',
    'a later one takes its place'
);
select results_eq(
    'select twilio_sid::text, status::text, error_code from wallet.sms_callbacks',
    $$values ('SM1', 'failed', '30003')$$,
    'with its error'
);
select pg_temp.answers(
    wallet.park_sms_status('SM1', 'queued', null, null, null), '{"outcome": "pending"}', 'an older one is taken as well'
);
select pg_temp.answers(
    wallet.park_sms_status('SM1', 'delivered', null, null, null), '{"outcome": "pending"}', 'and a second end'
);
select results_eq(
    'select twilio_sid::text, status::text, error_code from wallet.sms_callbacks',
    $$values ('SM1', 'failed', '30003')$$,
    'and both change nothing'
);
select is(
    (select (org_id, message_id)::text from wallet.sms_callbacks), format('(%s,m1)', pg_temp.org('acme')),
    'what a URL named stays known'
);
do $$ begin perform wallet.park_sms_status('SM2', 'sent', null, null, null); end $$;
select is((select count(*) from wallet.sms_callbacks), 2::bigint, 'every message has its own');

select * from finish();
rollback;
