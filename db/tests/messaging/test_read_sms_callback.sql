begin;
select plan(11);
\ir ../support.sql

select is(wallet.read_sms_callback('{"ErrorCode": "30003"}', 'ErrorCode'), '30003', 'a text is read');
select is(wallet.read_sms_callback('{"ErrorCode": 30003}', 'ErrorCode'), '30003', 'so is a number');
select is(wallet.read_sms_callback('{"message_id": " a b "}', 'message_id'), ' a b ', 'a text is left as it is');
select is(wallet.read_sms_callback('{}', 'ErrorCode'), null, 'what is absent is null');
select is(wallet.read_sms_callback('{"ErrorCode": null}', 'ErrorCode'), null, 'null is null');
select is(wallet.read_sms_callback('{"ErrorCode": ""}', 'ErrorCode'), null, 'what is empty is null');
select is(wallet.read_sms_callback('{"ErrorCode": " \n"}', 'ErrorCode'), null, 'what is blank is null');
select is(
    length(wallet.read_sms_callback(jsonb_build_object('f', repeat('x', 255)), 'f')), 255,
    '255 characters are not too many'
);
select pg_temp.raises(
    $$select wallet.read_sms_callback(jsonb_build_object('f', repeat('x', 256)), 'f')$$, 'WL013', 'f', '256 are'
);
select pg_temp.raises(
    $$select wallet.read_sms_callback('{"f": ["x"]}', 'f')$$, 'WL013', 'f', 'a list is no text'
);
select pg_temp.raises(
    $$select wallet.read_sms_callback('{"f": true}', 'f')$$, 'WL013', 'f', 'neither is a truth value'
);

select * from finish();
rollback;
