begin;
select plan(6);
\ir ../support.sql
\ir ../reservations/reservations.sql

create function pg_temp.note(p_call_id text, p_source text, p_report jsonb, p_cost bigint default null) returns jsonb
language sql
as $$
    select to_jsonb(
        wallet.note_call_report(c, jsonb_populate_record(null::wallet.call_report, p_report), p_source, p_cost)
    )
    from wallet.calls as c
    where org_id = pg_temp.org('acme') and call_id = p_call_id
$$;

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform pg_temp.bill('acme', 'call_1', 60);
    perform pg_temp.bill('acme', 'call_2', 60);
end $$;
select pg_temp.answers(
    pg_temp.note(
        'call_1', 'reconciliation', '{"vapi_call_id": "vapi_1", "direction": "inbound", "duration_seconds": 600}', 7
    ),
    '{
        "vapi_call_id": "vapi_1", "direction": "inbound", "assistant_id": null, "reported_at": null,
        "provider_cost_pence": 7, "duration_seconds": 60, "cost_pence": 200, "source": "backend", "reconciled": false
    }',
    'what was not known is noted, and what was charged stays'
);
select isnt(
    pg_temp.note('call_1', 'webhook', '{"vapi_call_id": "vapi_2", "assistant_id": "a", "direction": "web"}', 9)
    ->> 'reported_at',
    null, 'a webhook has told of it'
);
select pg_temp.answers(
    pg_temp.call('acme', 'call_1'),
    '{"vapi_call_id": "vapi_1", "direction": "inbound", "assistant_id": "a", "provider_cost_pence": 7}',
    'what was known is not overwritten'
);
select pg_temp.answers(
    pg_temp.note('call_2', 'webhook', '{"vapi_call_id": "vapi_1", "assistant_id": "a"}'),
    '{"vapi_call_id": null, "assistant_id": "a"}',
    'an id of the provider that another call has stays with that'
);
select is(pg_temp.money('acme'), '4600 0 0', 'no money moves');
select pg_temp.books_are_right();

select * from finish();
rollback;
