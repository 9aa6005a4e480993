begin;
select plan(11);

create function pg_temp.error_of(p_statement text) returns jsonb
language plpgsql
as $$
declare
    v_message text;
    v_detail text;
    v_hint text;
begin
    execute p_statement;
    return null;
exception when others then
    get stacked diagnostics
        v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return jsonb_build_object('code', sqlstate, 'message', v_message, 'detail', v_detail::jsonb, 'hint', v_hint);
end;
$$;

create temporary table error as
select pg_temp.error_of($$select wallet.raise_misuse('WL006', 'p_limit', 'must be between 1 and 500', '0')$$) as told;

select is(told ->> 'code', 'WL006', 'a misuse is raised under its own SQLSTATE') from error;
select is(told ->> 'message', 'p_limit: must be between 1 and 500', 'its message names field and expectation')
from error;
select is(
    told -> 'detail',
    '{"field": "p_limit", "expected": "must be between 1 and 500", "got": "0"}'::jsonb,
    'its detail has the same for machines, and what came instead'
)
from error;
select matches(told ->> 'hint', 'WL006', 'its hint says where to read on') from error;
select is(
    length(
        pg_temp.error_of(
            format('select wallet.raise_misuse(%L, %L, %L, %L)', 'WL006', 'f', 'e', repeat('x', 100000))
        ) #>> '{detail,got}'
    ),
    100,
    'what came is cut, so that nobody can fill a log with it'
);

-- Tenants may call it, and no other code may come of it: PostgREST, say, repeats what raises 40001.
select is(
    pg_temp.error_of(format('select wallet.raise_misuse(%L, ''f'', ''e'')', code)) ->> 'code', expected,
    format('asked for %L it raises %s', code, expected)
)
from (
    values
    ('WL001', 'WL001'), ('40001', 'WL006'), ('00000', 'WL006'), ('WLxxx', 'WL006'), ('WL0011', 'WL006'), ('', 'WL006')
) as asked (code, expected);

select * from finish();
rollback;
