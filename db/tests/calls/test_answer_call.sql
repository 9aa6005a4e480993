begin;
select plan(4);
\ir ../support.sql
\ir ../reservations/reservations.sql

create function pg_temp.told(p_name text, p_call_id text) returns jsonb
language sql stable
as $$
    select wallet.answer_call(c, true) from wallet.calls as c where org_id = pg_temp.org(p_name) and call_id = p_call_id
$$;

do $$
begin
    perform pg_temp.open_caller('acme', 1000, 500);
    perform pg_temp.reserve('acme', 'reserved');
    perform pg_temp.commit_call('acme', 'reserved', 60);
    perform pg_temp.bill('acme', 'silent', 0);
    perform pg_temp.bill('acme', 'owing', 600);
end $$;
select pg_temp.answers(
    pg_temp.told('acme', 'reserved'),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'call_id', 'reserved', 'duration_seconds', 60, 'actual_cost_pence', 200,
        'charged_pence', 200, 'owed_pence', 0, 'reserved_pence', 1000, 'released_pence', 800, 'balance_before', 1000,
        'balance_after', 800, 'reservation_id', pg_temp.reservation('acme', 'reserved') -> 'id',
        'transaction_id', pg_temp.call('acme', 'reserved') -> 'transaction_id'
    ),
    'a call is told with its entry and its reservation'
);
select pg_temp.answers(
    pg_temp.told('acme', 'silent'),
    '{
        "success": true, "transaction_id": null, "actual_cost_pence": 0, "charged_pence": 0, "reservation_id": null,
        "reserved_pence": 0, "released_pence": 0, "balance_before": -500, "balance_after": -500
    }',
    'without an entry with the balance as it is'
);
select pg_temp.answers(
    pg_temp.told('acme', 'owing'),
    '{
        "actual_cost_pence": 2000, "charged_pence": 1300, "owed_pence": 700, "balance_before": 800,
        "balance_after": -500
    }',
    'and with what it owes'
);
select ok(pg_temp.told('acme', 'owing') #>> '{cost_breakdown,unit_price}' = '200', 'and why it costs that');

select * from finish();
rollback;
