begin;
select plan(13);
\ir ../support.sql
\ir sms.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.charge_sms(pg_temp.org('acme'), 'a');
    perform wallet.charge_sms(pg_temp.org('acme'), 'b');
    perform wallet.park_sms_status('SMb', 'undelivered', '30005', null, null);
    perform wallet.park_sms_status('SMc', 'failed', null, pg_temp.org('acme'), 'c');
    perform wallet.name_sms(pg_temp.org('acme'), 'a', 'SMa');
    perform wallet.name_sms(pg_temp.org('acme'), 'b', 'SMb');
end $$;
select is(pg_temp.sms('acme', 'a'), 'SMa -', 'a message gets its Twilio id');
select is(pg_temp.sms('acme', 'b'), 'SMb undelivered given back', 'and the status that was parked for it');
select is(error_code, '30005', 'with its error') from wallet.sms_messages where message_id = 'b';
select is(pg_temp.balance(pg_temp.org('acme')), 996::bigint, 'and the money');
select results_eq(
    'select twilio_sid::text from wallet.sms_callbacks', $$values ('SMc')$$,
    'what is applied is parked no more, and what is another''s stays'
);

create temporary table before_again as select pg_temp.everything() as state;
do $$ begin perform wallet.name_sms(pg_temp.org('acme'), 'b', 'SMb'); end $$;
select is(pg_temp.everything(), state, 'once more changes nothing') from before_again;

-- Without a Twilio id.
do $$
begin
    perform pg_temp.open_wallet('other', 1000);
    perform wallet.charge_sms(pg_temp.org('other'), 'c', p_twilio_sid => 'SMx');
end $$;
select is(pg_temp.sms('other', 'c'), 'SMx -', 'another organization''s message is not taken for the named one');
do $$ begin perform wallet.charge_sms(pg_temp.org('acme'), 'c'); end $$;
select is(pg_temp.sms('acme', 'c'), '- failed given back', 'a message finds the status whose URL named it');
select is_empty('select from wallet.sms_callbacks', 'which is parked no more');
do $$
begin
    perform wallet.park_sms_status('SMe', 'failed', null, pg_temp.org('acme'), 'd');
    perform wallet.charge_sms(pg_temp.org('acme'), 'd', p_twilio_sid => 'SMd');
end $$;
select is(pg_temp.sms('acme', 'd'), 'SMd -', 'but not that of another one of Twilio''s');
do $$
begin
    perform wallet.park_sms_status('SM2', 'failed', null, pg_temp.org('acme'), 'e');
    perform wallet.park_sms_status('SM1', 'sent', null, pg_temp.org('acme'), 'e');
    update wallet.sms_callbacks set received_at = received_at - interval '1 s' where twilio_sid = 'SM1';
    perform wallet.charge_sms(pg_temp.org('acme'), 'e');
end $$;
select is(pg_temp.sms('acme', 'e'), '- sent', 'of two of Twilio''s it is the one that was told of first');
select is(pg_temp.tell('SM1', 'delivered', pg_temp.names('acme', 'e')), 'processed', 'which goes on');
select pg_temp.books_are_right();

select * from finish();
rollback;
