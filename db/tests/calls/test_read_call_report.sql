begin;
select plan(59);
\ir ../support.sql
\ir reports.sql

select is(
    pg_temp.read(report),
    jsonb_build_object(
        'vapi_call_id', pg_temp.vapi('one'),
        'call_id', 'call-1',
        'org_id', pg_temp.org('acme'),
        'ended', true,
        'direction', 'outbound',
        'assistant_id', pg_temp.vapi('assistant'),
        'phone_number_id', pg_temp.vapi('number'),
        'ended_reason', 'customer-ended-call',
        'placed_at', '2026-03-02 10:15:02.24+00'::timestamptz,
        'started_at', '2026-03-02 10:15:03.74+00'::timestamptz,
        'ended_at', '2026-03-02 10:16:34.74+00'::timestamptz,
        'duration_seconds', 91,
        'provider_cost_usd', 0.1931
    ),
    format('%s is read', name)
)
from (
    values
    ('an end-of-call report', pg_temp.report('one', 91, pg_temp.metadata('acme', 'call-1'))),
    ('its bare message', pg_temp.report('one', 91, pg_temp.metadata('acme', 'call-1')) -> 'message'),
    ('a call of the list', pg_temp.call('one', 91, pg_temp.metadata('acme', 'call-1')))
) as told (name, report);

-- The price of a call must not depend on who tells of it.
select is(
    pg_temp.read(pg_temp.report('one', seconds)) -> 'duration_seconds',
    to_jsonb(billed),
    format('%s s are billed as %s', seconds, billed)
)
from (
    values (0, 0), (0.001, 1), (1, 1), (29.999, 30), (30, 30), (127.598, 128), (604800, 604800)
) as call (seconds, billed);
select is(
    pg_temp.read(pg_temp.report('one', seconds)),
    pg_temp.read(pg_temp.call('one', seconds)),
    format('webhook and list agree on %s s', seconds)
)
from unnest(array[0, 0.001, 30, 127.598]) as seconds;
select is(
    pg_temp.read(pg_temp.report('one', 91, p_changes => '{"durationSeconds": 12}')) -> 'duration_seconds',
    '91',
    'the times count before durationSeconds'
);
select is(
    pg_temp.read(pg_temp.report('one', 91.2, p_changes => changes)) ->> 'duration_seconds',
    billed,
    format('without %s', changes)
)
from (
    values
    ('{"startedAt": null}'::jsonb, '92'),
    ('{"endedAt": null}', '92'),
    ('{"startedAt": null, "durationSeconds": null}', '0'),
    ('{"startedAt": null, "endedAt": null, "durationSeconds": null}', '0')
) as told (changes, billed);
select is(
    pg_temp.read(pg_temp.call('one', 91, '{"startedAt": null, "endedReason": "customer-did-not-answer"}'))
    -> 'duration_seconds',
    '0',
    'a call that was never answered took no time'
);

-- Under way.
select pg_temp.answers(
    pg_temp.read(pg_temp.call('one', 91, jsonb_build_object('status', status, 'endedAt', null))),
    '{"ended": false, "duration_seconds": null}',
    format('a call that is %s has no duration', status)
)
from unnest(array['scheduled', 'queued', 'ringing', 'in-progress', 'forwarding']) as status;
select is(
    pg_temp.read(pg_temp.call('one', 91, '{"status": "in-progress"}')) -> 'ended', 'true',
    'one with an end has ended'
);
select is(
    pg_temp.read(pg_temp.report('one', 91, '{"status": "in-progress"}')) -> 'ended', 'true',
    'and so has one with an end-of-call report, whatever its call was when that was queued'
);

select is(
    pg_temp.read(pg_temp.call('one', 91, jsonb_build_object('type', type))) ->> 'direction', direction,
    format('%s is %s', type, coalesce(direction, 'of no direction that we know'))
)
from (
    values
    ('inboundPhoneCall', 'inbound'), ('outboundPhoneCall', 'outbound'), ('webCall', 'web'),
    ('vapi.websocketCall', 'web'), ('smokeSignal', null)
) as kind (type, direction);

-- Whose call it is.
select is(
    pg_temp.read(pg_temp.call('one', 91, changes)) ->> 'call_id', call_id,
    format('%s names %s', changes, coalesce(call_id, 'no call'))
)
from (
    values
    ('{"metadata": {"call_id": "a"}, "assistant": {"metadata": {"call_id": "c"}}}'::jsonb, 'a'),
    ('{"assistantOverrides": {"metadata": {"call_id": "b"}}, "assistant": {"metadata": {"call_id": "c"}}}', 'b'),
    ('{"assistant": {"metadata": {"call_id": "c"}}}', 'c'),
    ('{"metadata": {"call_id": " "}}', null),
    ('{"metadata": {"call_id": 7}}', '7'),
    (jsonb_build_object('metadata', jsonb_build_object('call_id', repeat('x', 256))), null),
    ('{"metadata": null}', null)
) as told (changes, call_id);
select is(
    pg_temp.read(pg_temp.call('one', 91, changes)) -> 'org_id', 'null', format('%s names no organization', changes)
)
from unnest(array['{}', '{"metadata": {"org_id": "acme"}}', '{"metadata": ["org_id"]}']::jsonb[]) as changes;

-- A cost that can't be one is unknown, and stops no bill.
select is(
    pg_temp.read(pg_temp.call('one', 91, jsonb_build_object('cost', cost))) -> 'provider_cost_usd', 'null',
    format('a cost of %s is unknown', cost)
)
from unnest(array['null', '"free"', '-0.1', '1e30']::jsonb[]) as cost;

select pg_temp.raises(
    format('select wallet.read_call_report(%L)', report), 'WL012', field, format('%s is not usable', name)
)
from (
    values
    ('a call without an id', pg_temp.call('one', 91, '{"id": null}'), 'id'),
    ('a blank id', pg_temp.call('one', 91, '{"id": " "}'), 'id'),
    ('a number as an id', pg_temp.call('one', 91, '{"id": 7}'), 'id'),
    ('a long id', pg_temp.call('one', 91, jsonb_build_object('id', repeat('x', 256))), 'id'),
    ('an empty object', '{}', 'id'),
    ('no object at all', '[]', 'id'),
    ('a report without a call', pg_temp.report('one') #- '{message,call}', 'id'),
    ('a call of no time', '{"id": "x", "status": "ended"}', 'createdAt'),
    ('a start after the end', pg_temp.call('one', 91, '{"endedAt": "2026-03-02T10:15:02.740Z"}'), 'endedAt'),
    ('a call of more than a week', pg_temp.call('one', 604800.001), 'endedAt'),
    ('an answered call without an end', pg_temp.call('one', 91, '{"endedAt": null}'), 'endedAt'),
    ('a start that is no time', pg_temp.call('one', 91, '{"startedAt": "yesterday"}'), 'startedAt'),
    ('a negative duration', pg_temp.report('one', 91, '{}', '{"startedAt": null, "durationSeconds": -1}'), 'endedAt')
) as told (name, report, field);

select * from finish();
rollback;
