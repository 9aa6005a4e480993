begin;
select plan(3);
\ir ../support.sql

select pg_temp.answers(
    wallet.refuse_no_reservation('call_1', 'released'),
    '{
        "success": false, "error": "no_active_reservation", "call_id": "call_1", "status": "released",
        "fallback_to_direct_billing": true
    }',
    'without a reservation a call is billed directly'
);
select alike(
    wallet.refuse_no_reservation('call_1', 'released') ->> 'message', '%call_1%released%', 'the sentence says why'
);
select alike(
    wallet.refuse_no_reservation('call_1', null) ->> 'message', '%call_1%', 'also where there never was one'
);

select * from finish();
rollback;
