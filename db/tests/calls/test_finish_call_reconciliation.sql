begin;
select plan(21);
\ir ../support.sql
\ir reports.sql
\ir runs.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 10000);
    perform wallet.record_call(pg_temp.call_of('known', 2));
    perform pg_temp.claim('ann', 2);
end $$;

select pg_temp.answers(
    pg_temp.finish('ann', 2),
    '{"success": false, "error": "reconciliation_incomplete", "listed_back_to": null}',
    'a window that is not listed is not done'
);
do $$
begin
    perform pg_temp.save(
        'ann', 2, jsonb_build_array(pg_temp.call_of('known', 2), pg_temp.call_of('missing', 2)), '12 hours'
    );
end $$;
select pg_temp.answers(
    pg_temp.finish('ann', 2),
    jsonb_build_object('error', 'reconciliation_incomplete', 'listed_back_to', pg_temp.day(2) + interval '12 hours'),
    'nor one that is listed in part'
);
do $$
begin
    perform pg_temp.save(
        'ann', 2, jsonb_build_array(pg_temp.call_of('under way', 2, '{"status": "in-progress", "endedAt": null}'), 7)
    );
end $$;
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.finish('bob', 2),
    jsonb_build_object('success', false, 'error', 'reconciliation_lost', 'from', pg_temp.day(2), 'to', pg_temp.day(1)),
    'another worker''s window is refused'
);
select is(pg_temp.everything(), state, 'nothing is written then') from before_refusals;

create temporary table done as select pg_temp.finish('ann', 2) as answer;
select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'from', pg_temp.day(2), 'to', pg_temp.day(1), 'run', 1, 'provider_calls', 4, 'known', 1,
        'missing', 1, 'recovered', 1, 'recovered_pence', 28, 'unfinished', 1, 'unusable', 1, 'failed_count', 1,
        'reliability_percent', 50, 'alerted', true
    ),
    'a window that is listed is reconciled'
)
from done;
select pg_temp.answers(
    pg_temp.run(2), '{"status": "done", "claimed_by": null, "attempts": 0, "listed_back_to": null, "last_error": null}',
    'and done'
);
select is(pg_temp.run(2) -> 'report', answer - 'success', 'its report is kept') from done;
select is_empty('select from wallet.provider_calls', 'and the list is not');
select pg_temp.answers(
    pg_temp.recorded('missing'), '{"reconciled": true, "charged_pence": 28}', 'what was missing is billed'
);

select pg_temp.answers(
    pg_temp.finish('ann', 2), '{"success": false, "error": "reconciliation_lost"}', 'done is done'
);
do $$
begin
    perform pg_temp.claim('bob', 2);
    perform pg_temp.save('bob', 2, jsonb_build_array(pg_temp.call_of('known', 2), pg_temp.call_of('missing', 2)));
end $$;
select pg_temp.answers(
    pg_temp.finish('bob', 2),
    '{"run": 2, "known": 2, "missing": 0, "recovered": 0, "reliability_percent": 50, "alerted": false}',
    'the same day again recovers nothing'
);
select is(pg_temp.told('reliability_low'), 1::bigint, 'and is not told again');
select is(pg_temp.balance(pg_temp.org('acme')), (10000 - 2 * 28)::bigint, 'each call is charged once');

-- Somebody else did the window meanwhile.
do $$
begin
    perform pg_temp.claim('ann', 3);
    perform pg_temp.save('ann', 3, jsonb_build_array(pg_temp.call_of('other', 3)), '1 hour');
    perform wallet.reconcile_calls(pg_temp.day(3), pg_temp.day(2), '[]');
end $$;
select pg_temp.answers(
    pg_temp.save('ann', 3, '[]'), '{"error": "reconciliation_lost"}', 'reconcile_calls takes a window from its worker'
);
select is_empty('select from wallet.provider_calls', 'with what it had listed');

select pg_temp.raises(
    format('select wallet.finish_call_reconciliation(%s)', arguments), sqlstate, field,
    format('%s is misuse', arguments)
)
from (
    values
    ('null, now(), now()', 'WL001', 'p_worker'),
    (''' '', now(), now()', 'WL005', 'p_worker'),
    ('''ann'', null, now()', 'WL001', 'p_from'),
    ('''ann'', now(), null', 'WL001', 'p_to')
) as misuse (arguments, sqlstate, field);
select is(
    pg_temp.callers('wallet.finish_call_reconciliation(text, timestamptz, timestamptz)'),
    array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
