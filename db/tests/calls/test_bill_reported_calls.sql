begin;
select plan(15);
\ir ../support.sql
\ir reports.sql

do $$ begin perform pg_temp.open_wallet(name, 1000) from unnest(array['acme', 'globex', 'initech']) as name; end $$;

create function pg_temp.bill(p_calls jsonb) returns jsonb
language sql
as $$ select wallet.bill_reported_calls(array(select l.report from wallet.read_listed_calls(p_calls) as l)) $$;

create function pg_temp.outcome_of(p_outcomes jsonb, p_name text) returns jsonb
language sql
return (select o from jsonb_array_elements(p_outcomes) as o where o ->> 'vapi_call_id' = pg_temp.vapi(p_name));

select is(pg_temp.bill('[]'), '[]', 'nothing is nothing');

-- Known by another id, told by webhook but not billed, and missing.
do $$
begin
    perform wallet.bill_call(pg_temp.org('globex'), 'billed', 30);
    perform wallet.record_call(pg_temp.report('told', 60, pg_temp.metadata('nobody')));
    perform wallet.create_wallet(pg_temp.org('nobody'), p_debt_limit_pence => 20);
end $$;
create temporary table billing as
select
    pg_temp.bill(
        jsonb_build_array(
            pg_temp.call('known', 31, pg_temp.metadata('globex', 'billed')),
            pg_temp.call('told', 60, pg_temp.metadata('nobody')),
            pg_temp.call('missing', 91, pg_temp.metadata('initech')),
            pg_temp.call('early', 30, pg_temp.metadata('initech'), '2026-03-02 08:00+00'),
            pg_temp.call('stranger', 30, '{}'),
            pg_temp.call('strangers friend', 30, '{}')
        )
    ) as answer;
select is(jsonb_array_length(answer), 6, 'each has its outcome') from billing;
select is(
    pg_temp.outcome_of(answer, name),
    outcome::jsonb || jsonb_build_object('vapi_call_id', pg_temp.vapi(name), 'org_id', pg_temp.org(org)),
    format('the outcome of the one that is %s', name)
)
from billing
cross join (
    values
    (
        'known', 'globex',
        '{
            "call_id": "billed", "success": true, "duplicate": true, "told": false, "cost_pence": 28, "owed_pence": 0,
            "duration_seconds": 30, "provider_duration_seconds": 31, "error": null, "message": null, "new": false
        }'
    ),
    (
        'told', 'nobody',
        format(
            '{
                "call_id": %s, "success": true, "duplicate": false, "told": true, "cost_pence": 56, "owed_pence": 36,
                "duration_seconds": 60, "provider_duration_seconds": 60, "error": null, "message": null, "new": false
            }',
            to_json(pg_temp.vapi('told'))
        )
    )
) as expected (name, org, outcome);
select pg_temp.answers(
    pg_temp.outcome_of(answer, 'stranger'),
    '{
        "success": false, "duplicate": false, "told": false, "cost_pence": null, "error": "organization_unknown",
        "new": true
    }',
    'what can''t be billed says why'
)
from billing;
select is(pg_temp.recorded('known') ->> 'source', 'backend', 'a known call stays whose it was');
select pg_temp.answers(
    pg_temp.recorded('told'), '{"source": "webhook", "reconciled": false, "owed_pence": 36}',
    'one that the webhook told of is not reconciled'
);
select pg_temp.answers(
    pg_temp.recorded('missing'), '{"source": "reconciliation", "reconciled": true}', 'one that it did not is'
);
select is(
    (
        select array_agg(vapi_call_id order by entry_number) from wallet.credit_transactions
        where org_id = pg_temp.org('initech') and type = 'call_deduction'
    ),
    array[pg_temp.vapi('early'), pg_temp.vapi('missing')],
    'a wallet''s calls are billed in the order in which they were placed'
);
select ok(pg_temp.unbilled('told') ->> 'billed_at' is not null, 'what was waited for is billed');
select pg_temp.answers(
    pg_temp.unbilled('stranger'), '{"error_code": "organization_unknown", "attempts": 1, "billed_at": null}',
    'what could not be billed is waited for'
);
select is(pg_temp.unbilled('stranger') ->> 'told_by', 'reconciliation', 'as told by reconciliation');

-- The organizations are locked in order of id: the entries of the first are older.
select is(
    (
        select array_agg(distinct o.org_id order by o.org_id)
        from (
            select org_id, lag(org_id) over (order by created_at) as before
            from wallet.credit_transactions
            where type = 'call_deduction' and call_id <> 'billed'
        ) as o
        where o.org_id < o.before
    ),
    null,
    'organizations take their turns in order of id'
);

select pg_temp.answers(
    pg_temp.bill(jsonb_build_array(pg_temp.call('stranger', 30, '{}'))) -> 0, '{"success": false, "new": false}',
    'the next time it is no news'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
