begin;
select plan(7);
\ir ../support.sql
\ir ../reservations/reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform wallet.bill_call(pg_temp.org('acme'), 'call_1', 60, 'vapi_1');
    perform wallet.bill_call(pg_temp.org('acme'), 'call_2', 0, 'vapi_2');
    perform pg_temp.spend('acme', 'call_3', 100);
end $$;
select is(wallet.find_billed_call(pg_temp.org(name), call_id, vapi_call_id), expected, what)
from (
    values
    ('acme', 'call_1', null, 'call_1', 'a call that was billed is found by our id'),
    ('acme', 'another', 'vapi_1', 'call_1', 'and by the provider''s'),
    ('acme', 'call_2', 'vapi_1', 'call_2', 'ours comes first'),
    ('acme', 'another', null, null, 'another one is not'),
    ('acme', 'another', 'vapi_3', null, 'by either'),
    ('acme', 'call_3', null, null, 'nor is what deduct_call_credits has charged: that has an entry'),
    ('other', 'call_1', 'vapi_1', null, 'nor what another organization has')
) as t (name, call_id, vapi_call_id, expected, what);

select * from finish();
rollback;
