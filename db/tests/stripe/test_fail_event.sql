begin;
select plan(2);

select throws_ok(
    $$select wallet.fail_event('too_late', 'It is too late.')$$, 'WL011', 'It is too late.',
    'giving up on an event raises its sentence'
);

create function pg_temp.code() returns text
language plpgsql
as $$
declare
    v_code text;
begin
    perform wallet.fail_event('too_late', 'It is too late.');
    return null;
exception when sqlstate 'WL011' then
    get stacked diagnostics v_code = pg_exception_detail;
    return v_code;
end;
$$;
select is(pg_temp.code(), 'too_late', 'with a code in its detail');

select * from finish();
rollback;
