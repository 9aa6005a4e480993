begin;
select plan(25);
\ir ../support.sql

create temporary table first_run as
select wallet.begin_backfill(now() - interval '7 days', false) as answer;

select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'resumed', false, 'since', date_trunc('second', now() - interval '7 days'),
        'compared_until', date_trunc('second', now() - interval '7 days'), 'counts', '{}'::jsonb, 'account', null
    ),
    'a run begins at the whole second where it was told to, with nothing counted'
)
from first_run;
select pg_temp.answers(
    to_jsonb(b), '{"counts": {}, "finished_at": null}', 'and is stored'
)
from first_run, wallet.stripe_backfills as b
where b.id = (answer ->> 'backfill_id')::uuid;

-- Interrupted.
create function pg_temp.came(p_run jsonb, p_ago interval) returns jsonb
language sql
return wallet.save_backfill(
    (p_run ->> 'backfill_id')::uuid, date_trunc('second', now() - p_ago), '{"applied": 3}'
);
create function pg_temp.is_first_run(p_answer jsonb) returns boolean
language sql
return (select p_answer -> 'backfill_id' = answer -> 'backfill_id' from first_run);

select ok(
    not pg_temp.is_first_run(wallet.begin_backfill(now() - interval '5 days', false)),
    'a beginning more than a day later is a new run'
);
select is((pg_temp.came(answer, '5 days') ->> 'success')::boolean, true, 'it comes two days further') from first_run;
select pg_temp.answers(
    wallet.begin_backfill(now() - interval '7 days', false) - 'backfill_id',
    jsonb_build_object(
        'success', true, 'resumed', true, 'since', date_trunc('second', now() - interval '7 days'),
        'compared_until', date_trunc('second', now() - interval '5 days'), 'counts', '{"applied": 3}'::jsonb
    ),
    'the same beginning goes on where it was interrupted'
);
select ok(
    pg_temp.is_first_run(wallet.begin_backfill(now() - interval '6 days 1 hour', false)),
    'so does one that is up to a day later'
);
select ok(
    not pg_temp.is_first_run(wallet.begin_backfill(now() - interval '8 days', false)), 'an earlier one is a new run'
);
select pg_temp.answers(
    wallet.begin_backfill(now() - interval '7 days', false, true),
    '{"success": true, "resumed": false, "counts": {}}',
    'restart begins anew'
);
delete from wallet.stripe_backfills using first_run where id <> (answer ->> 'backfill_id')::uuid;
select ok(
    pg_temp.is_first_run(wallet.begin_backfill(now() - interval '7 days', false)),
    'and leaves the interrupted one there'
);
update wallet.stripe_backfills set updated_at = now() - interval '25 hours';
select pg_temp.answers(
    wallet.begin_backfill(now() - interval '7 days', false), '{"resumed": false}',
    'one that was interrupted more than a day ago is not trusted'
);
update wallet.stripe_backfills set finished_at = now();
select pg_temp.answers(
    wallet.begin_backfill(now() - interval '7 days', false), '{"resumed": false}', 'a finished run does not go on'
);

-- The account of the wallet.
update wallet.stripe_settings set account = 'acct_1';
select pg_temp.answers(
    wallet.begin_backfill(now(), false), '{"success": true, "account": "acct_1"}', 'the connected account is told'
);

-- Refused.
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.begin_backfill(now() - interval '30 days 2 minutes', false),
    jsonb_build_object('success', false, 'error', 'since_too_early', 'earliest', now() - interval '30 days'),
    'Stripe keeps events for 30 days'
);
select alike(
    wallet.begin_backfill('-infinity', false) ->> 'message', 'Stripe keeps events for 30 days: begin at 20% or later.',
    'the message names the earliest time'
);
select pg_temp.answers(
    wallet.begin_backfill(now(), true), '{"success": false, "error": "livemode_mismatch", "livemode": true}',
    'a live key can''t fill test wallets'
);
select is(pg_temp.everything(), state, 'a refusal writes nothing') from before_refusals;
select pg_temp.answers(
    wallet.begin_backfill(now() - interval '30 days', false), '{"success": true}', '30 days ago is accepted'
);
update wallet.stripe_settings set livemode = true;
select pg_temp.answers(
    wallet.begin_backfill(now(), false), '{"success": false, "error": "livemode_mismatch"}',
    'nor a test key live ones'
);
select pg_temp.answers(
    wallet.begin_backfill(now(), true), '{"success": true}', 'a live key fills live wallets'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises('select wallet.begin_backfill(null, true)', 'WL001', 'p_since', 'a beginning is required');
select pg_temp.raises('select wallet.begin_backfill(now(), null)', 'WL001', 'p_livemode', 'a mode is required');
select pg_temp.raises('select wallet.begin_backfill(now(), true, null)', 'WL001', 'p_restart', 'null is no answer');
select pg_temp.raises(
    'select wallet.begin_backfill(now() + interval ''1 hour'', true)', 'WL006', 'p_since', 'the future is misuse'
);
select pg_temp.raises('select wallet.begin_backfill(''infinity'', true)', 'WL006', 'p_since', 'and so is eternity');
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select * from finish();
rollback;
