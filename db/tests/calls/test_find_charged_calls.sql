begin;
select plan(9);
\ir ../support.sql
\ir reports.sql

create function pg_temp.charged(p_name text, p_vapi_call_id text, p_ago interval default '10 minutes') returns text
language sql
return wallet.find_charged_calls(
    array[pg_temp.org('nobody'), pg_temp.org(p_name)], array[p_vapi_call_id, 'vapi_9'], now() - p_ago
) ->> p_vapi_call_id;

do $$
begin
    perform pg_temp.open_wallet('acme', 5000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'vapi_1', 0, 0, 150);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_2', null, 0, 0, 150);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_3', pg_temp.vapi('told'), 0, 0, 150);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_4', pg_temp.vapi('listed'), 0, 0, 150);
    perform pg_temp.open_wallet('other', 5000);
end $$;
select is(pg_temp.charged('acme', 'vapi_1'), 'call_1', 'a call that was charged is found by the provider''s id');
select is(pg_temp.charged('acme', 'vapi_2'), null, 'another one is not');
select is(pg_temp.charged('acme', null), null, 'nor is one without an id');
select is(pg_temp.charged('other', 'vapi_1'), null, 'nor one of another organization');
select is(pg_temp.charged('acme', 'vapi_1', '-2 hours'), null, 'what was charged long before the call is another call');

-- So that the provider's webhook and its list charge nothing twice, though they know only their own id.
select pg_temp.answers(
    wallet.record_call(pg_temp.report('told', 60, pg_temp.metadata('acme'))),
    '{"success": true, "duplicate": true, "call_id": "call_3", "charged_pence": 150, "owed_pence": 0}',
    'what deduct_call_credits has charged is a duplicate, told by webhook'
);
select pg_temp.answers(
    wallet.reconcile_calls(
        '2026-03-02Z', '2026-03-03Z', jsonb_build_array(pg_temp.call('listed', 60, pg_temp.metadata('acme')))
    ),
    '{"known": 1, "missing": 0, "recovered": 0, "recovered_pence": 0, "alerted": false}',
    'or listed, and then it was known'
);
select is(
    (
        select string_agg(call_id || ' ' || source || ' ' || (cost_breakdown ->> 'charged_by'), ', ' order by call_id)
        from wallet.calls
    ),
    'call_3 backend deduct_call_credits, call_4 backend deduct_call_credits',
    'it is recorded as the backend has charged it'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
