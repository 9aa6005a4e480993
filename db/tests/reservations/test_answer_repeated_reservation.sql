begin;
select plan(3);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform pg_temp.reserve('acme', 'open');
    perform wallet.extend_reservation('open', 10, pg_temp.org('acme'));
    perform pg_temp.reserve('acme', 'released');
    perform pg_temp.release('acme', 'released');
end $$;
create function pg_temp.again(p_call_id text, p_minutes integer) returns jsonb
language sql stable
as $$
    select wallet.answer_repeated_reservation(r, p_minutes)
    from wallet.credit_reservations as r
    where org_id = pg_temp.org('acme') and call_id = p_call_id
$$;
select pg_temp.answers(
    pg_temp.again('open', 5), '{"success": true, "duplicate": true, "reserved_pence": 2000, "estimated_minutes": 10}',
    'who asks for the same again is told of what is held, as it was extended since'
);
select pg_temp.answers(
    pg_temp.again('open', 10),
    '{
        "success": false, "error": "idempotency_conflict", "original_estimated_minutes": 5,
        "attempted_estimated_minutes": 10
    }',
    'who asks for something else is refused with both'
);
select pg_temp.answers(
    pg_temp.again('released', 5), '{"success": false, "error": "reservation_closed", "status": "released"}',
    'what is over is over'
);

select * from finish();
rollback;
