begin;
select plan(15);
\ir ../support.sql
\ir reports.sql

do $$ begin perform pg_temp.open_wallet(name, 1000) from unnest(array['acme', 'globex', 'initech']) as name; end $$;

create function pg_temp.bill(p_calls jsonb) returns jsonb
language sql
as $$ select wallet.bill_reported_calls(array(select l.report from wallet.read_listed_calls(p_calls) as l)) $$;

select is(
    pg_temp.bill('[]'),
    '{
        "billed": 0, "billed_pence": 0, "billed_by_currency": {}, "owed_pence": 0, "told": 0, "duplicates": [],
        "failed_count": 0, "failed": []
    }',
    'nothing is nothing'
);

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
select pg_temp.answers(
    answer,
    jsonb_build_object(
        'billed', 3, 'billed_pence', 56 + 85 + 28, 'owed_pence', 36, 'told', 2, 'failed_count', 2,
        'duplicates',
        jsonb_build_array(
            jsonb_build_object(
                'call_id', 'billed', 'vapi_call_id', pg_temp.vapi('known'),
                'duration_seconds', 30, 'provider_duration_seconds', 31
            )
        )
    ),
    'what can be billed is, and counted'
)
from billing;
select is(
    (select array_agg(f ->> 'error') from billing cross join jsonb_array_elements(answer -> 'failed') as f),
    array['organization_unknown', 'organization_unknown'],
    'what can''t is listed'
);
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
select is(
    (
        select array_agg(payload ->> 'message') from wallet.outbox_messages
        where topic = 'call_unbilled' and payload ->> 'message' like '%provider%'
    ),
    array['2 calls of the provider''s list could not be billed.'],
    'one message tells of all of them'
);

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

create temporary table settled as select pg_temp.told('call_unbilled') as messages;
select pg_temp.answers(
    pg_temp.bill(jsonb_build_array(pg_temp.call('stranger', 30, '{}'))), '{"billed": 0, "failed_count": 1}',
    'the next time it fails again'
);
select is(pg_temp.told('call_unbilled'), messages, 'which is not told again') from settled;
select pg_temp.books_are_right();

select * from finish();
rollback;
