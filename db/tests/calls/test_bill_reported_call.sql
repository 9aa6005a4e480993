begin;
select plan(20);
\ir ../support.sql
\ir reports.sql

do $$ begin perform pg_temp.open_wallet('acme', 10000); perform pg_temp.open_wallet('tokyo', 10000, 500, 'jpy'); end $$;

create function pg_temp.bill(
    p_name text, p_changes jsonb default pg_temp.metadata('acme'), p_source text default 'webhook',
    p_seconds numeric default 91
) returns jsonb
language sql
as $$
    select wallet.bill_reported_call(wallet.read_call_report(pg_temp.call(p_name, p_seconds, p_changes)), p_source)
$$;

select pg_temp.answers(
    pg_temp.bill('one', pg_temp.metadata('acme', 'call-1')),
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'call_id', 'call-1',
        'vapi_call_id', pg_temp.vapi('one'), 'duration_seconds', 91, 'actual_cost_pence', 85, 'charged_pence', 85,
        'owed_pence', 0, 'balance_before', 10000, 'balance_after', 9915
    ),
    'a reported call is billed'
);
select pg_temp.answers(
    pg_temp.recorded('one'),
    '{
        "call_id": "call-1", "source": "webhook", "reconciled": false, "direction": "outbound", "duration_seconds": 91,
        "ended_reason": "customer-ended-call", "cost_pence": 85, "provider_cost_pence": 15
    }',
    'with all that is told, and what it cost us: 19.31 US cents, 15 pence'
);
select pg_temp.answers(
    pg_temp.bill('one', pg_temp.metadata('acme', 'call-1'), 'reconciliation'),
    '{"success": true, "duplicate": true, "charged_pence": 85, "balance_after": 9915}',
    'told again, it is a duplicate'
);
select pg_temp.answers(
    pg_temp.bill('one', '{"metadata": {}}'), '{"success": true, "duplicate": true, "call_id": "call-1"}',
    'also without the metadata'
);
select pg_temp.answers(
    pg_temp.bill('two', p_source => 'reconciliation'), '{"success": true, "duplicate": false}',
    'what reconciliation finds is billed'
);
select pg_temp.answers(
    pg_temp.recorded('two'), '{"source": "reconciliation", "reconciled": true, "reported_at": null}', 'and marked'
);

-- The same metadata on two calls, as on an assistant.
select pg_temp.answers(
    pg_temp.bill('three', pg_temp.metadata('acme', 'call-1')),
    jsonb_build_object('success', true, 'duplicate', false, 'call_id', pg_temp.vapi('three'), 'charged_pence', 85),
    'a call that was given another''s id is charged all the same'
);
do $$ begin perform pg_temp.bill('thief', pg_temp.metadata('acme', pg_temp.vapi('victim'))); end $$;
select pg_temp.answers(
    pg_temp.bill('victim'),
    jsonb_build_object(
        'success', false, 'error', 'call_id_taken', 'org_id', pg_temp.org('acme'), 'call_id', pg_temp.vapi('victim')
    ),
    'one whose own id is taken is not passed off as the other'
);

-- What the provider costs.
select is(
    pg_temp.bill(name, pg_temp.metadata('acme') || jsonb_build_object('cost', cost)) -> 'success', 'true',
    format('a cost of %s is no obstacle', cost)
)
from (values ('four', 'null'::jsonb), ('five', '0')) as call (name, cost);
select is(
    (select jsonb_agg(pg_temp.recorded(name) -> 'provider_cost_pence') from unnest(array['four', 'five']) as name),
    '[null, 0]', 'unknown is unknown, and nothing is nothing'
);

-- What can't be billed.
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.bill('six', '{}'),
    jsonb_build_object(
        'success', false, 'error', 'organization_unknown', 'org_id', null, 'vapi_call_id', pg_temp.vapi('six')
    ),
    'a call of nobody we know is refused'
);
select pg_temp.answers(
    pg_temp.bill('six', pg_temp.metadata('nobody')),
    jsonb_build_object('success', false, 'error', 'organization_not_found', 'org_id', pg_temp.org('nobody')),
    'so is one of an organization without a wallet'
);
select pg_temp.answers(
    pg_temp.bill('six', pg_temp.metadata('tokyo')),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "usd", "to_currency": "jpy"}',
    'one that has no price in the wallet''s currency'
);
select is(pg_temp.everything(), state, 'none of these writes anything') from before_refusals;

-- Whatever goes wrong with one call, the transaction goes on.
create function pg_temp.break_calls() returns trigger language plpgsql as $$ begin raise 'The disk is full.'; end $$;
create trigger break_calls before insert on wallet.calls for each row execute function pg_temp.break_calls();
select pg_temp.answers(
    pg_temp.bill('seven'),
    '{"success": false, "error": "unexpected_error", "message": "The disk is full. (SQLSTATE P0001)"}',
    'an error is an answer'
);
drop trigger break_calls on wallet.calls;
select is(pg_temp.everything(), state, 'and undoes what was done of the call') from before_refusals;

-- A call that runs into the debt limit.
select pg_temp.answers(
    pg_temp.bill('long', pg_temp.metadata('acme'), 'webhook', 36000),
    '{"success": true, "duplicate": false, "actual_cost_pence": 33180}',
    'ten hours are billed'
);
select ok((pg_temp.recorded('long') ->> 'owed_pence')::bigint > 0, 'and owed, as far as the wallet can''t pay them');

select pg_temp.books_are_right();

select * from finish();
rollback;
