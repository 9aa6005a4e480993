begin;
select plan(17);
\ir ../support.sql
\ir reports.sql

create temporary table stripped as
select name, wallet.strip_call_report(report) as report
from (
    values
    ('the list''s', pg_temp.call('one', 91, pg_temp.metadata('acme', 'call-1'))),
    ('the webhook''s', pg_temp.report('one', 91, pg_temp.metadata('acme', 'call-1'))),
    ('the bare message', pg_temp.report('one', 91, pg_temp.metadata('acme', 'call-1')) -> 'message')
) as told (name, report);

select is(
    report - 'durationSeconds',
    jsonb_build_object(
        'id', pg_temp.vapi('one'),
        'type', 'outboundPhoneCall',
        'status', 'ended',
        'createdAt', '2026-03-02T10:15:02.240Z',
        'startedAt', '2026-03-02T10:15:03.740Z',
        'endedAt', '2026-03-02T10:16:34.740Z',
        'endedReason', 'customer-ended-call',
        'cost', 0.1931,
        'assistantId', pg_temp.vapi('assistant'),
        'phoneNumberId', pg_temp.vapi('number'),
        'metadata', jsonb_build_object('org_id', pg_temp.org('acme'), 'call_id', 'call-1')
    ),
    format('of %s shape the same is left', name)
)
from stripped;
select is(wallet.strip_call_report(report), report, format('of %s shape nothing more can be taken away', name))
from stripped;
select unalike(
    wallet.strip_call_report(report)::text, '%' || said || '%', format('nothing is left of what was said: %s', said)
)
from
    (select pg_temp.report('one') || pg_temp.call('one') as report) as told
cross join unnest(array['secret', 'number is 4242', 'Secretive', '+44', 'https', 'Anna']) as said;

-- What is not what it should be.
select is(
    wallet.strip_call_report(report) - 'metadata', '{}', format('of %s nothing is left', left(report::text, 20))
)
from
    unnest(
        array['null', '7', '[]', '{"id": {"a": "b"}, "endedReason": ["what", "was", "said"]}']::jsonb[]
    ) as report;
select is(
    wallet.strip_call_report(
        jsonb_build_object('id', 'vapi-1', 'endedReason', repeat('and then he said ', 30), 'metadata', 'call-1'::text)
    ),
    '{"id": "vapi-1", "metadata": {}}',
    'a text that is no reason, and metadata that are none, are left out'
);

select * from finish();
rollback;
