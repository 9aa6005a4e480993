begin;
select plan(48);
\ir ../support.sql
\ir reports.sql

do $$ begin perform pg_temp.open_wallet(name, 100000) from unnest(array['acme', 'globex']) as name; end $$;

-- Calls c<from> to c<to>, of 30 s, one a minute.
create function pg_temp.listed(p_from integer, p_to integer) returns jsonb
language sql
as $$
    select jsonb_agg(
        pg_temp.call(
            'c' || n, 30, pg_temp.metadata(case n % 2 when 0 then 'acme' else 'globex' end, 'call-' || n),
            '2026-03-02 00:00:10+00'::timestamptz + make_interval(mins => n)
        )
        order by n desc
    )
    from generate_series(p_from, p_to) as n
$$;

create function pg_temp.reconcile(p_calls jsonb, p_from text default '2026-03-02', p_to text default '2026-03-03')
returns jsonb
language sql
as $$
    select wallet.reconcile_calls((p_from || ' 00:00+00')::timestamptz, (p_to || ' 00:00+00')::timestamptz, p_calls)
$$;

create function pg_temp.run(p_date text default '2026-03-02') returns jsonb
language sql
as $$ select to_jsonb(r) from wallet.call_reconciliations as r where from_at = (p_date || ' 00:00+00')::timestamptz $$;

-- 100 calls, of which 97 are known.
do $$ begin perform wallet.record_call(c) from jsonb_array_elements(pg_temp.listed(4, 100)) as c; end $$;
create temporary table first_run as select pg_temp.reconcile(pg_temp.listed(1, 100)) as answer;
select is(
    answer,
    '{
        "success": true, "from": "2026-03-02T00:00:00+00:00", "to": "2026-03-03T00:00:00+00:00", "run": 1,
        "provider_calls": 100, "duplicates": 0, "outside": 0, "unfinished": 0, "known": 97, "missing": 3,
        "recovered": 3,
        "recovered_pence": 84, "recovered_by_currency": {"gbp": 84}, "owed_pence": 0, "failed": [], "failed_count": 0, "unusable": 0, "mismatched": [],
        "mismatched_count": 0, "unknown_to_provider": [], "unknown_to_provider_count": 0, "reliability_percent": 97,
        "alerted": false
    }',
    'what is missing is billed; 97 % is good enough'
)
from first_run;
select is(
    (select array_agg(call_id::text order by call_id) from wallet.calls where reconciled),
    array['call-1', 'call-2', 'call-3'],
    'and marked'
);
select is(
    (select array_agg(pg_temp.balance(pg_temp.org(name)) order by name) from unnest(array['acme', 'globex']) as name),
    array[100000 - 50 * 28, 100000 - 50 * 28]::bigint[],
    'each call is charged once'
);
select pg_temp.answers(
    pg_temp.run(), '{"status": "done", "requested_by": "reconcile_calls", "claimed_by": null, "alerted_at": null}',
    'the window is done'
);
select is(pg_temp.run() -> 'report', answer - 'success', 'with its report') from first_run;
select pg_temp.answers(
    wallet.record_call(pg_temp.report('c1', 30, pg_temp.metadata('globex', 'call-1'))),
    '{"outcome": "duplicate", "charged_pence": 28}',
    'a webhook that comes after all is a duplicate'
);
select pg_temp.answers(
    pg_temp.reconcile(pg_temp.listed(1, 100)),
    '{
        "run": 2, "known": 100, "missing": 0, "recovered": 0, "recovered_pence": 0, "reliability_percent": 97,
        "alerted": false
    }',
    'running it again recovers nothing'
);
select is(
    (
        select array[calls, reported, reliability_percent, recovered_pence]
        from wallet.vapi_webhook_reliability
    ),
    array[100, 97, 97, 84]::numeric[],
    'the view says the same'
);

-- Below 95 %.
do $$
begin
    perform wallet.record_call(
        pg_temp.call('d' || n, 30, pg_temp.metadata('acme', 'd-' || n), '2026-03-04 12:00+00')
    )
    from generate_series(7, 100) as n;
end $$;
create temporary table low as
select
    jsonb_agg(pg_temp.call('d' || n, 30, pg_temp.metadata('acme', 'd-' || n), '2026-03-04 12:00+00')) as calls
from generate_series(1, 100) as n;
create temporary table low_run as select pg_temp.reconcile(calls, '2026-03-04', '2026-03-05') as answer from low;
select pg_temp.answers(
    answer, '{"known": 94, "missing": 6, "recovered": 6, "reliability_percent": 94, "alerted": true}',
    '94 % is not'
)
from low_run;
select is(pg_temp.told('reliability_low'), 1::bigint, 'and told');
select pg_temp.answers(
    (select payload from wallet.outbox_messages where topic = 'reliability_low'),
    '{
        "message": "The webhook told of 94 % of the calls from 2026-03-04 00:00 to 2026-03-05 00:00 UTC, less than 95 %: 6 of 100 were missing, 6 are billed now.",
        "missing": 6, "recovered": 6, "recovered_pence": 168, "reliability_percent": 94
    }',
    'with its numbers'
);
select pg_temp.answers(
    pg_temp.reconcile(calls, '2026-03-04', '2026-03-05'),
    '{"missing": 0, "recovered": 0, "reliability_percent": 94, "alerted": false}', 'run again, nothing is new'
)
from low;
select pg_temp.answers(
    pg_temp.reconcile(
        calls || pg_temp.call('d101', 30, pg_temp.metadata('acme', 'd-101'), '2026-03-04 12:00+00'),
        '2026-03-04', '2026-03-05'
    ),
    '{"missing": 1, "recovered": 1, "alerted": false}', 'one more in the same window is recovered'
)
from low;
select is(pg_temp.told('reliability_low'), 1::bigint, 'but told once for a window');
do $$ begin perform wallet.configure_calls('ann', p_reliability_alert_percent => 0); end $$;
select pg_temp.answers(
    pg_temp.reconcile(
        jsonb_build_array(pg_temp.call('q', 30, pg_temp.metadata('acme'), '2026-03-06 12:00+00')), '2026-03-06',
        '2026-03-07'
    ),
    '{"missing": 1, "reliability_percent": 0, "alerted": false}', 'the threshold is a setting'
);
do $$ begin perform wallet.configure_calls('ann', p_reliability_alert_percent => 95); end $$;

-- Whatever else a list may hold.
do $$
begin
    perform wallet.record_call(pg_temp.report(name, 30, pg_temp.metadata('acme', name), '{}', '2026-03-08 12:00+00'))
    from unnest(array['same', 'longer', 'much longer', 'shorter', 'ours alone']) as name;
    perform wallet.bill_call(pg_temp.org('acme'), 'no vapi id', 60, p_started_at => '2026-03-08 13:00+00');
    perform wallet.record_call(pg_temp.report('told', 30, pg_temp.metadata('nobody'), '{}', '2026-03-08 12:00+00'));
    perform wallet.create_wallet(pg_temp.org('nobody'));
end $$;
create temporary table odd as
select
    pg_temp.reconcile(
        jsonb_agg(
            pg_temp.call(
                name, seconds, pg_temp.metadata('acme', name) || changes,
                coalesce(started_at, '2026-03-08 12:00+00')::timestamptz
            )
        ) || '["not a call"]',
        '2026-03-08', '2026-03-09'
    ) as answer
from (
    values
    ('same', 30, '{}'::jsonb, null),
    ('same', 30, '{"status": "in-progress", "endedAt": null}', null),
    ('longer', 31, '{}', null),
    ('much longer', 32, '{}', null),
    ('shorter', 12, '{}', null),
    ('no vapi id', 64, '{}', null),
    ('told', 30, pg_temp.metadata('nobody'), null),
    ('under way', 30, '{"status": "in-progress", "endedAt": null}', null),
    ('the first', 30, '{}', '2026-03-08 00:00:01.5+00'),
    ('too early', 30, '{}', '2026-03-08 00:00:01.499+00'),
    ('too late', 30, '{}', '2026-03-09 00:00:01.5+00'),
    ('the last', 30, '{}', '2026-03-09 00:00:01.499+00'),
    ('backwards', -30, '{}', null),
    ('stranger', 30, '{"metadata": {}}', null)
) as told (name, seconds, changes, started_at);
select pg_temp.answers(
    answer,
    '{
        "provider_calls": 15, "duplicates": 1, "outside": 2, "unfinished": 1, "known": 6, "missing": 3, "recovered": 3,
        "failed_count": 3, "unusable": 2, "mismatched_count": 3, "unknown_to_provider_count": 1
    }',
    'each is what it is'
)
from odd;
select is(
    (select array_agg(m ->> 'call_id' order by m ->> 'call_id') from jsonb_array_elements(answer -> 'mismatched') as m),
    array['much longer', 'no vapi id', 'shorter'],
    'differences beyond one second are reported'
)
from odd;
select is(
    jsonb_path_query_first(answer -> 'mismatched', '$[*] ? (@.call_id == "much longer")'),
    jsonb_build_object(
        'call_id', 'much longer', 'vapi_call_id', pg_temp.vapi('much longer'), 'duration_seconds', 30,
        'provider_duration_seconds', 32
    ),
    'with both durations'
)
from odd;
select is(pg_temp.recorded('much longer') -> 'cost_pence', '28', 'and not charged for');
select is(
    answer -> 'unknown_to_provider',
    jsonb_build_array(jsonb_build_object('call_id', 'ours alone', 'vapi_call_id', pg_temp.vapi('ours alone'))),
    'so is what the provider does not have'
)
from odd;
select is(
    (select array_agg(f ->> 'error' order by f ->> 'error') from jsonb_array_elements(answer -> 'failed') as f),
    array['organization_unknown', 'unusable_report', 'unusable_report'],
    'what can''t be billed is reported with its reason'
)
from odd;
select is(pg_temp.recorded(name), null, format('the call %s is not billed', name))
from unnest(array['under way', 'too early', 'too late', 'backwards', 'stranger']) as name;
select is(pg_temp.recorded(name) -> 'charged_pence', '28', format('the call %s is', name))
from unnest(array['the first', 'the last']) as name;
select pg_temp.answers(
    pg_temp.recorded('told'), '{"source": "webhook", "reconciled": false}', 'what the webhook told of is billed as its'
);
select is(answer -> 'reliability_percent', '66.67', 'and counts as told: 6 of 9') from odd;
select pg_temp.answers(
    (
        select payload from wallet.outbox_messages
        where topic = 'call_unbilled' and payload ->> 'error' = 'unusable_report'
    ),
    '{"calls": 2}', 'what can''t be read is told'
);
select pg_temp.answers(
    pg_temp.reconcile('[7, 8]', '2026-03-08', '2026-03-09'), '{"unusable": 2}', 'the same number of them'
);
select is(
    (select count(*) from wallet.outbox_messages where payload ->> 'error' = 'unusable_report'), 1::bigint,
    'is not told again'
);

select pg_temp.answers(
    pg_temp.reconcile('[]', '2026-03-20', '2026-03-21'),
    '{"provider_calls": 0, "known": 0, "missing": 0, "recovered": 0, "reliability_percent": null, "alerted": false}',
    'without calls there is no reliability'
);

-- The lists are short, the counts are whole.
create temporary table long as
select
    pg_temp.reconcile(
        jsonb_agg(pg_temp.call('s' || n, 30, '{}', '2026-03-22 12:00+00')), '2026-03-22', '2026-03-23'
    ) as answer
from generate_series(1, 105) as n;
select is(answer -> 'failed_count', '105', 'all 105 are counted') from long;
select is(jsonb_array_length(answer -> 'failed'), 100, 'and 100 named') from long;
select is(
    (
        select jsonb_agg(payload - 'vapi_call_ids') from wallet.outbox_messages
        where topic = 'call_unbilled' and payload ->> 'message' like '105 %'
    ),
    '[{"message": "105 calls of the provider''s list could not be billed.", "calls": 105}]',
    'one message tells of all of them'
);
create temporary table settled as select pg_temp.told('call_unbilled') as messages;
select pg_temp.answers(
    pg_temp.reconcile(
        jsonb_build_array(pg_temp.call('s1', 30, '{}', '2026-03-22 12:00+00')), '2026-03-22', '2026-03-23'
    ),
    '{"missing": 1, "failed_count": 1}',
    'the next time it fails again'
);
select is(pg_temp.told('call_unbilled'), messages, 'which is not told again') from settled;

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.reconcile_calls(%s)', arguments), sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, now(), ''[]''', 'WL001', 'p_from'),
    ('now(), null, ''[]''', 'WL001', 'p_to'),
    ('now(), now() + interval ''1 day'', null', 'WL001', 'p_provider_calls'),
    ('now(), now(), ''[]''', 'WL006', 'p_to'),
    ('now(), ''infinity'', ''[]''', 'WL006', 'p_to'),
    ('now(), now() + interval ''1 day'', ''{}''', 'WL006', 'p_provider_calls')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'neither writes anything') from before_misuse;

select is(
    pg_temp.callers('wallet.reconcile_calls(timestamptz, timestamptz, jsonb)'), array['service_role'],
    'only a backend may call it'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
