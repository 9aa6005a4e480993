begin;
select plan(8);
\ir ../support.sql
\ir ../reservations/reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform wallet.bill_call(pg_temp.org('acme'), 'billed', 60, 'vapi_1');
    perform pg_temp.bill('acme', 'silent', 0);
    perform pg_temp.spend('acme', 'charged', 100);
    perform pg_temp.open_caller('other', 5000);
    perform pg_temp.buy('other', 'call:bought', 100);
end $$;
select is(wallet.is_call_billed(pg_temp.org('acme'), call_id, vapi_call_id), expected, what)
from (
    values
    ('billed', null, true, 'a call that was billed is billed'),
    ('silent', null, true, 'also if it cost nothing'),
    ('charged', null, true, 'and if deduct_call_credits charged it'),
    ('another', 'vapi_1', true, 'and if the provider''s id is that of one that was billed'),
    ('another', null, false, 'another one is not'),
    ('another', 'vapi_2', false, 'whatever its id at the provider')
) as t (call_id, vapi_call_id, expected, what);
select is(wallet.is_call_billed(pg_temp.org('other'), 'billed', null), false, 'nor is another organization''s');
select is(wallet.is_call_billed(pg_temp.org('other'), 'billed', 'vapi_1'), false, 'by either id');

select * from finish();
rollback;
