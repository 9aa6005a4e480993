begin;
select plan(7);
\ir ../support.sql
\ir sms.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform pg_temp.open_wallet('other', 1000);
    perform wallet.charge_sms(pg_temp.org('acme'), 'named', p_twilio_sid => 'SM1');
    perform wallet.charge_sms(pg_temp.org('acme'), 'nameless');
end $$;

select is(wallet.find_sms_sid_conflict(pg_temp.org('acme'), 'named', 'SM1'), null, 'a message keeps its id');
select is(wallet.find_sms_sid_conflict(pg_temp.org('acme'), 'nameless', 'SM2'), null, 'a free id can be given');
select is(wallet.find_sms_sid_conflict(pg_temp.org('acme'), 'unknown', 'SM2'), null, 'to a new message too');
select is(wallet.find_sms_sid_conflict(pg_temp.org('acme'), 'named', null), null, 'no id is no conflict');
select pg_temp.answers(
    wallet.find_sms_sid_conflict(pg_temp.org('acme'), 'named', 'SM2'),
    '{
        "success": false, "error": "idempotency_conflict", "message_id": "named", "original_twilio_sid": "SM1",
        "attempted_twilio_sid": "SM2"
    }',
    'a message has one id'
);
select pg_temp.answers(
    wallet.find_sms_sid_conflict(pg_temp.org('acme'), 'nameless', 'SM1'),
    '{
        "error": "idempotency_conflict", "twilio_sid": "SM1", "original_message_id": "named",
        "attempted_message_id": "nameless"
    }',
    'an id is that of one message'
);
select pg_temp.answers(
    wallet.find_sms_sid_conflict(pg_temp.org('other'), 'named', 'SM1'),
    jsonb_build_object('error', 'idempotency_conflict', 'original_org_id', pg_temp.org('acme')),
    'in all wallets'
);

select * from finish();
rollback;
