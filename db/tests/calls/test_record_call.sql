begin;
select plan(46);
\ir ../support.sql
\ir reports.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.reserve_call_credits(pg_temp.org('acme'), 'reserved', null, 2);
end $$;

-- Once.
select pg_temp.answers(
    wallet.record_call(pg_temp.report('one', 30, pg_temp.metadata('acme', 'call-1'))),
    jsonb_build_object(
        'success', true, 'outcome', 'processed', 'duplicate', false, 'org_id', pg_temp.org('acme'),
        'call_id', 'call-1', 'vapi_call_id', pg_temp.vapi('one'), 'duration_seconds', 30, 'actual_cost_pence', 28,
        'charged_pence', 28, 'owed_pence', 0, 'balance_before', 1000, 'balance_after', 972
    ),
    'a report bills its call'
);
select pg_temp.answers(
    pg_temp.recorded('one'),
    jsonb_build_object(
        'source', 'webhook', 'reconciled', false, 'direction', 'outbound', 'assistant_id', pg_temp.vapi('assistant'),
        'phone_number_id', pg_temp.vapi('number'), 'ended_reason', 'customer-ended-call', 'provider_cost_pence', 15,
        'placed_at', '2026-03-02 10:15:02.24+00'::timestamptz, 'started_at', '2026-03-02 10:15:03.74+00'::timestamptz,
        'ended_at', '2026-03-02 10:15:33.74+00'::timestamptz
    ),
    'and records it'
);
select ok(pg_temp.recorded('one') ->> 'reported_at' is not null, 'with when it was told');
select unalike(pg_temp.everything(), '%' || said || '%', format('nothing is stored of what was said: %s', said))
from unnest(array['secret', 'number is 4242', 'Secretive', 'recording-mono', '+442071838750']) as said;
create temporary table settled as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.record_call(pg_temp.report('one', 30, pg_temp.metadata('acme', 'call-1'))),
    '{"success": true, "outcome": "duplicate", "duplicate": true, "charged_pence": 28, "balance_after": 972}',
    'redelivered, it is a duplicate'
);
select is(pg_temp.everything(), state, 'that writes nothing') from settled;
select pg_temp.answers(
    wallet.record_call(pg_temp.report('one', 30, pg_temp.metadata('acme', 'call-1')) -> 'message'),
    '{"outcome": "duplicate"}', 'the bare message is the same'
);
select pg_temp.answers(
    wallet.record_call(pg_temp.call('one', 30, pg_temp.metadata('acme', 'call-1'))), '{"outcome": "duplicate"}',
    'and so is its Call object'
);

-- With a reservation, before and after its commit.
select pg_temp.answers(
    wallet.record_call(pg_temp.report('two', 60, pg_temp.metadata('acme', 'reserved'))),
    '{
        "outcome": "processed", "call_id": "reserved", "actual_cost_pence": 56, "reserved_pence": 111,
        "released_pence": 55
    }',
    'a call with a reservation closes it'
);
select pg_temp.answers(
    wallet.commit_reserved_credits('reserved', 60, pg_temp.org('acme')), '{"success": true, "duplicate": true}',
    'the commit that comes after it is a duplicate'
);
do $$
begin
    perform wallet.reserve_call_credits(pg_temp.org('acme'), 'committed', pg_temp.vapi('three'), 2);
    perform wallet.commit_reserved_credits('committed', 60, pg_temp.org('acme'));
end $$;
select pg_temp.answers(
    wallet.record_call(pg_temp.report('three', 60)),
    '{"outcome": "duplicate", "call_id": "committed", "charged_pence": 56}',
    'and the report after a commit, though only its Vapi id links them'
);
select pg_temp.answers(
    pg_temp.recorded('three'), '{"source": "reservation", "direction": "outbound", "provider_cost_pence": 15}',
    'but it adds what it knows'
);
select is(
    (select reserved_pence::bigint from wallet.organizations where id = pg_temp.org('acme')), 0::bigint,
    'nothing stays held'
);

-- Nothing was said.
select pg_temp.answers(
    wallet.record_call(
        pg_temp.report(
            'four', 0, pg_temp.metadata('acme'), '{"startedAt": null, "endedReason": "customer-did-not-answer"}'
        )
    ),
    '{
        "outcome": "processed", "duration_seconds": 0, "actual_cost_pence": 0, "charged_pence": 0,
        "transaction_id": null
    }',
    'a call that was not answered costs nothing'
);
select pg_temp.answers(
    pg_temp.recorded('four'), '{"ended_reason": "customer-did-not-answer", "cost_pence": 0}', 'and is still recorded'
);

-- None of our business.
create temporary table quiet as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.record_call(
        jsonb_set(pg_temp.report('five', 30, pg_temp.metadata('acme')), '{message,type}', to_jsonb(type))
    ),
    '{"success": true, "outcome": "ignored"}',
    format('%s is ignored', type)
)
from unnest(array['status-update', 'transcript', 'tool-calls', 'hang', 'assistant-request', 'made up']) as type;
select pg_temp.answers(
    wallet.record_call(
        pg_temp.call('five', 30, pg_temp.metadata('acme') || '{"status": "in-progress", "endedAt": null}')
    ),
    '{"success": true, "outcome": "ignored", "message": "The call has not ended."}',
    'and so is a call under way'
);
select is(pg_temp.everything(), state, 'neither writes anything') from quiet;

-- What can't be billed is kept.
select pg_temp.answers(
    wallet.record_call(pg_temp.report('six', 30)),
    jsonb_build_object(
        'success', false, 'outcome', 'failed', 'error', 'organization_unknown', 'vapi_call_id', pg_temp.vapi('six'),
        'org_id', null
    ),
    'a call of nobody we know is not billed'
);
select pg_temp.answers(
    pg_temp.unbilled('six'), '{"error_code": "organization_unknown", "attempts": 1, "billed_at": null}', 'but kept'
);
select pg_temp.answers(
    (select to_jsonb(m) from wallet.outbox_messages as m where topic = 'call_unbilled'),
    jsonb_build_object('org_id', null, 'status', 'pending'),
    'and told'
);
select pg_temp.answers(
    (select payload from wallet.outbox_messages where topic = 'call_unbilled'),
    jsonb_build_object(
        'calls', 1, 'vapi_call_ids', jsonb_build_array(pg_temp.vapi('six')), 'error', 'organization_unknown'
    ),
    'with what it is about'
);
select pg_temp.answers(
    wallet.record_call(pg_temp.report('six', 30)), '{"outcome": "failed"}', 'redelivered, it fails again'
);
select pg_temp.answers(pg_temp.unbilled('six'), '{"attempts": 2}', 'which is counted');
select is(pg_temp.told('call_unbilled'), 1::bigint, 'but not told again');
do $$
begin
    insert into wallet.agents (org_id, name, vapi_assistant_id)
    values (pg_temp.org('acme'), 'Anna', pg_temp.vapi('assistant'));
end $$;
select pg_temp.answers(
    wallet.record_call(pg_temp.report('six', 30)), '{"success": true, "outcome": "processed", "charged_pence": 28}',
    'once somebody says whose assistant it is, it is billed'
);
select ok(pg_temp.unbilled('six') ->> 'billed_at' is not null, 'and not waited for any more');

-- Not usable: nothing is kept, the sender is told.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.record_call(%L)', report), sqlstate, field, format('%s is misuse', name)
)
from (
    values
    ('null', null, 'WL001', 'p_report'),
    ('JSON''s null', 'null', 'WL012', 'type'),
    ('a list', '[]', 'WL012', 'type'),
    ('a message without a type', '{"message": {}}', 'WL012', 'type'),
    ('a message that is a text', '{"message": "end-of-call-report"}', 'WL012', 'type'),
    ('a report without a call', '{"message": {"type": "end-of-call-report"}}', 'WL012', 'id'),
    ('a report of no time', '{"message": {"type": "end-of-call-report", "call": {"id": "x"}}}', 'WL012', 'createdAt')
) as misuse (name, report, sqlstate, field);
select is(pg_temp.everything(), state, 'and writes nothing') from before_misuse;

select is(
    pg_temp.callers('wallet.record_call(jsonb)'), array['service_role', 'wallet_webhook'],
    'the HTTP service may call it, and a backend'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
