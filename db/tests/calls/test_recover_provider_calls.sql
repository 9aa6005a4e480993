begin;
select plan(44);
\ir ../support.sql
\ir reports.sql
\ir runs.sql

do $$
begin
    perform pg_temp.open_wallet(name, 10000) from unnest(array['acme', 'globex2', 'globex3', 'initech']) as name;
end $$;

-- A day of which some calls are known, and some are missing, for every reason; as it is listed.
create function pg_temp.day_of(p_days_ago integer) returns jsonb
language sql
as $$
    select jsonb_agg(
        pg_temp.call(
            p_days_ago || name,
            seconds,
            case org
                when '' then '{"metadata": {}}'
                when 'globex' then pg_temp.metadata(org || p_days_ago, p_days_ago || name)
                else pg_temp.metadata(org, p_days_ago || name)
            end || changes,
            pg_temp.day(p_days_ago) + at
        )
    ) || '[7]'
    from (
        values
        ('known', 'acme', 30, interval '9 hours', '{}'::jsonb),
        ('known longer', 'acme', 40, interval '9 hours', '{}'),
        ('late', 'acme', 30, interval '15 hours', '{}'),
        ('early', 'acme', 60, interval '8 hours', '{}'),
        ('another''s', 'globex', 91, interval '12 hours', '{}'),
        ('dear', 'globex', 3600 * 3, interval '13 hours', '{}'),
        ('told', 'initech', 30, interval '10 hours', '{}'),
        ('billed', 'initech', 40, interval '11 hours', '{}'),
        ('stranger', '', 30, interval '9 hours', '{}'),
        ('under way', 'acme', 30, interval '14 hours', '{"status": "in-progress", "endedAt": null}'),
        ('of the next day', 'acme', 30, interval '25 hours', '{}')
    ) as listed (name, org, seconds, at, changes)
$$;

-- What is known of such a day, and who has it.
create function pg_temp.claim_day(p_worker text, p_days_ago integer) returns void
language plpgsql
as $$
begin
    perform wallet.record_call(
        pg_temp.call(
            p_days_ago || name, 30, pg_temp.metadata('acme', p_days_ago || name),
            pg_temp.day(p_days_ago) + interval '9 hours'
        )
    )
    from unnest(array['known', 'known longer']) as name;
    perform wallet.bill_call(pg_temp.org('initech'), p_days_ago || 'billed', 30);
    perform wallet.record_call(
        pg_temp.call(p_days_ago || 'told', 30, '{"metadata": {}}', pg_temp.day(p_days_ago) + interval '10 hours')
    );
    perform pg_temp.claim(p_worker, p_days_ago);
    perform pg_temp.save(p_worker, p_days_ago, pg_temp.day_of(p_days_ago));
end $$;

do $$
begin
    perform pg_temp.claim_day('ann', 2);
    perform pg_temp.claim_day('bob', 3);
end $$;

create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.recover(worker, days_ago),
    jsonb_build_object(
        'success', false, 'error', 'reconciliation_lost', 'from', pg_temp.day(days_ago), 'to', pg_temp.day(days_ago - 1)
    ),
    format('a window that is not %s''s is refused', worker)
)
from (values ('bob', 2), ('ann', 5)) as wrong (worker, days_ago);
select pg_temp.raises(
    format(
        'select wallet.recover_provider_calls(%s)',
        replace(replace(arguments, '$from', quote_literal(pg_temp.day(2))), '$to', quote_literal(pg_temp.day(1)))
    ),
    sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, $from, $to, 60', 'WL001', 'p_worker'),
    (''' '', $from, $to, 60', 'WL005', 'p_worker'),
    ('''ann'', null, $to, 60', 'WL001', 'p_from'),
    ('''ann'', $from, null, 60', 'WL001', 'p_to'),
    ('''ann'', $from, $to, null', 'WL001', 'p_lease_seconds'),
    ('''ann'', $from, $to, 0', 'WL006', 'p_lease_seconds'),
    ('''ann'', $from, $to, 3601', 'WL006', 'p_lease_seconds'),
    ('''ann'', $from, $to, 60, null', 'WL001', 'p_limit'),
    ('''ann'', $from, $to, 60, 0', 'WL002', 'p_limit')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'neither writes anything') from before_refusals;

create temporary table chunks as
select
    n as number,
    pg_temp.recover('ann', 2, 2, 600) as answer
from generate_series(1, 5) as n;
select is(
    (select array_agg((answer ->> 'remaining')::integer order by number) from chunks), array[8, 6, 4, 2, 0],
    'so many at a time, until nothing remains'
);
select is(
    (select max((answer ->> 'recovered')::integer + (answer ->> 'failed')::integer) from chunks), 2, 'never more'
);
select is((select sum((answer ->> 'recovered')::integer) from chunks), 5::bigint, 'all that can be billed is');
select is((select sum((answer ->> 'failed')::integer) from chunks), 1::bigint, 'and all that can''t is counted');
select is(
    (
        select array_agg(ltrim(call_id, '2') order by entry_number) from wallet.credit_transactions
        where org_id = pg_temp.org('acme') and call_id in ('2early', '2late')
    ),
    array['early', 'late'],
    'a wallet''s calls are billed in the order in which they were placed'
);
select is(
    round(extract(epoch from (pg_temp.run(2) ->> 'next_try_at')::timestamptz - clock_timestamp()) / 60), 10::numeric,
    'each renews the lease'
);
select is(pg_temp.run(2) -> 'next_try_at', answer -> 'lease_until', 'as is told') from chunks where number = 5;
select pg_temp.answers(
    pg_temp.run(2), '{"status": "due", "claimed_by": "ann", "report": null, "alerted_at": null}', 'it is not done yet'
);
select pg_temp.answers(
    pg_temp.recorded('2early'), '{"source": "reconciliation", "reconciled": true, "charged_pence": 56}',
    'what nobody told of is reconciled'
);
select pg_temp.answers(
    pg_temp.recorded('2told'), '{"source": "webhook", "reconciled": false}', 'what the webhook told of is its'
);
select is(pg_temp.recorded('2' || name), null, format('the call %s is not billed', name))
from unnest(array['stranger', 'under way', 'of the next day']) as name;
select pg_temp.answers(
    pg_temp.unbilled('2stranger'), '{"error_code": "organization_unknown", "told_by": "reconciliation", "attempts": 1}',
    'what can''t be billed is waited for'
);
select pg_temp.answers(
    pg_temp.recover('ann', 2), '{"success": true, "recovered": 0, "failed": 0, "remaining": 0}',
    'nothing is tried twice'
);
select is(pg_temp.unbilled('2stranger') -> 'attempts', '1', 'not even what failed');

select pg_temp.answers(
    wallet.record_call(pg_temp.report('2late', 30, pg_temp.metadata('acme', '2late'))), '{"outcome": "duplicate"}',
    'a webhook that is late is a duplicate'
);

-- One day in parts, and one in one.
create temporary table reports as
select
    pg_temp.finish('ann', 2) as in_parts,
    pg_temp.finish('bob', 3) as in_one;
select is(
    in_parts - array['from', 'to', 'failed', 'mismatched'], in_one - array['from', 'to', 'failed', 'mismatched'],
    'the report is the same as if it had been one transaction'
)
from reports;
select pg_temp.answers(
    in_parts,
    '{
        "provider_calls": 12, "known": 4, "missing": 5, "recovered": 5, "failed_count": 2, "unusable": 1,
        "mismatched_count": 2, "unfinished": 1, "outside": 1, "reliability_percent": 44.44, "alerted": true
    }',
    'and right'
)
from reports;
select is(
    (
        select array_agg(
            (select array_agg(ltrim(m ->> 'call_id', '23') order by m ->> 'call_id') from jsonb_array_elements(r) as m)
        )
        from reports
        cross join unnest(array[in_parts -> 'mismatched', in_one -> 'mismatched']) as r
    ),
    array[array['billed', 'known longer'], array['billed', 'known longer']],
    'what differs is listed'
);
select is(
    (
        select array_agg(e ->> 'error' order by e ->> 'error') from reports
        cross join jsonb_array_elements(in_parts -> 'failed') as e
    ),
    array['organization_unknown', 'unusable_report'],
    'and so is what failed'
);
select is(
    (
        select array_agg((payload ->> 'calls')::integer) from wallet.outbox_messages
        where topic = 'call_unbilled' and payload ->> 'message' like '1 calls of the provider''s list could not be b%'
    ),
    array[1, 1],
    'which is told once for a window'
);
select is(pg_temp.told('reliability_low'), 2::bigint, 'and so is the alert');
select is_empty('select from wallet.provider_calls', 'the lists are not kept');

-- What is billed by others after it failed is known.
do $$
begin
    perform pg_temp.claim('cid', 4);
    perform pg_temp.save('cid', 4, jsonb_build_array(pg_temp.call_of('moved', 4, '{"metadata": {}}')));
    perform pg_temp.recover('cid', 4);
    perform wallet.record_call(
        pg_temp.report('moved', 30, pg_temp.metadata('acme'), '{}', pg_temp.day(4) + interval '12 hours')
    );
end $$;
select pg_temp.answers(
    pg_temp.finish('cid', 4),
    '{"known": 1, "missing": 0, "recovered": 0, "failed_count": 0, "reliability_percent": 100}',
    'a call that failed and was billed by webhook since is known'
);

-- A day that is not over is listed anew: what had not ended has, and what is billed is.
do $$
begin
    perform pg_temp.claim('dot', 5);
    perform pg_temp.save(
        'dot', 5,
        jsonb_build_array(
            pg_temp.call_of('ended', 5), pg_temp.call_of('ends', 5, '{"status": "in-progress", "endedAt": null}')
        )
    );
end $$;
select pg_temp.answers(pg_temp.recover('dot', 5), '{"recovered": 1, "remaining": 0}', 'one of two has ended');
do $$
begin
    perform pg_temp.save('dot', 5, jsonb_build_array(pg_temp.call_of('ended', 5), pg_temp.call_of('ends', 5)));
end $$;
select pg_temp.answers(
    pg_temp.recover('dot', 5), '{"recovered": 1, "remaining": 0}', 'the other one is billed when it has'
);
select pg_temp.answers(
    pg_temp.finish('dot', 5), '{"missing": 2, "recovered": 2, "recovered_pence": 56}', 'both are recovered by this run'
);

-- Whoever finishes the window instead tells of what was billed.
do $$
begin
    perform pg_temp.claim('eve', 6);
    perform pg_temp.save('eve', 6, jsonb_build_array(pg_temp.call_of('a', 6), pg_temp.call_of('b', 6)));
    perform pg_temp.recover('eve', 6, 1);
end $$;
select pg_temp.answers(
    wallet.reconcile_calls(
        pg_temp.day(6), pg_temp.day(5), jsonb_build_array(pg_temp.call_of('a', 6), pg_temp.call_of('b', 6))
    ),
    '{"missing": 2, "recovered": 2, "recovered_pence": 56, "reliability_percent": 0, "alerted": true}',
    'reconcile_calls goes on where it finds the window'
);
select pg_temp.answers(
    pg_temp.recover('eve', 6), '{"success": false, "error": "reconciliation_lost"}', 'which its worker has lost then'
);

select is(
    pg_temp.callers('wallet.recover_provider_calls(text, timestamptz, timestamptz, integer, integer)'),
    array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
