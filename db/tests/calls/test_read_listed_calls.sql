begin;
select plan(4);
\ir ../support.sql
\ir reports.sql

select is(
    (
        select jsonb_agg(coalesce(l.problem, to_jsonb((l.report).vapi_call_id)))
        from
            wallet.read_listed_calls(
                jsonb_build_array(pg_temp.call('one'), pg_temp.call('two', -5), 7, pg_temp.call('three'))
            ) as l
    ),
    jsonb_build_array(
        pg_temp.vapi('one'),
        jsonb_build_object(
            'vapi_call_id', pg_temp.vapi('two'), 'error', 'unusable_report',
            'message', 'endedAt: must make a call of 0 to 604800 seconds, a week'
        ),
        jsonb_build_object(
            'vapi_call_id', null, 'error', 'unusable_report',
            'message', 'id: must be the id of a call, up to 255 characters'
        ),
        pg_temp.vapi('three')
    ),
    'what can''t be read doesn''t spoil the rest'
);
select is(
    (select l.report from wallet.read_listed_calls(jsonb_build_array(pg_temp.call('one'))) as l),
    wallet.read_call_report(pg_temp.call('one')),
    'each is read as it is alone'
);
select is_empty('select from wallet.read_listed_calls(''[]'')', 'an empty list has none');
select is_empty('select from wallet.read_listed_calls(null)', 'nor has no list');

select * from finish();
rollback;
