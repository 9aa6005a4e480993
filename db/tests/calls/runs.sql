-- What the tests of reconciliation runs share. Included with \ir after reports.sql.

-- Midnight, UTC, so many days ago.
create function pg_temp.day(p_days_ago integer) returns timestamptz
language sql
return date_trunc('day', now(), 'UTC') - make_interval(hours => 24 * p_days_ago);

create function pg_temp.run(p_days_ago integer) returns jsonb
language sql
as $$
    select to_jsonb(r) from wallet.call_reconciliations as r
    where from_at = pg_temp.day(p_days_ago) and to_at = pg_temp.day(p_days_ago - 1)
$$;

-- The days that have a window, as "<days ago> <status>", the oldest first.
create function pg_temp.runs() returns text
language sql
as $$
    select string_agg(format('%s %s', extract(day from pg_temp.day(0) - from_at), status), ', ' order by from_at)
    from wallet.call_reconciliations
$$;

create function pg_temp.claim(p_worker text, p_days_ago integer default null) returns jsonb
language sql
as $$
    select wallet.claim_call_reconciliation(
        p_worker, 60, pg_temp.day(p_days_ago), pg_temp.day(p_days_ago - 1)
    )
$$;

-- How many days ago the window began that a worker got.
create function pg_temp.claimed(p_answer jsonb) returns integer
language sql
return extract(day from pg_temp.day(0) - (p_answer #>> '{reconciliation,from}')::timestamptz)::integer;

-- A call of so many days ago, at noon.
create function pg_temp.call_of(p_name text, p_days_ago integer, p_changes jsonb default '{}') returns jsonb
language sql
as $$
    select pg_temp.call(
        p_name, 30, pg_temp.metadata('acme', p_name) || p_changes, pg_temp.day(p_days_ago) + interval '12 hours'
    )
$$;

create function pg_temp.save(
    p_worker text, p_days_ago integer, p_calls jsonb, p_listed_back_to interval default '0',
    p_lease_seconds integer default 60
) returns jsonb
language sql
as $$
    select wallet.save_provider_calls(
        p_worker, pg_temp.day(p_days_ago), pg_temp.day(p_days_ago - 1), p_calls,
        pg_temp.day(p_days_ago) + p_listed_back_to, p_lease_seconds
    )
$$;

create function pg_temp.recover(
    p_worker text, p_days_ago integer, p_limit integer default 200, p_lease_seconds integer default 60
) returns jsonb
language sql
as $$
    select wallet.recover_provider_calls(
        p_worker, pg_temp.day(p_days_ago), pg_temp.day(p_days_ago - 1), p_lease_seconds, p_limit
    )
$$;

create function pg_temp.finish(p_worker text, p_days_ago integer) returns jsonb
language sql
as $$ select wallet.finish_call_reconciliation(p_worker, pg_temp.day(p_days_ago), pg_temp.day(p_days_ago - 1)) $$;

create function pg_temp.fail(p_worker text, p_days_ago integer, p_error text default 'Vapi: HTTP 500') returns jsonb
language sql
as $$
    select wallet.fail_call_reconciliation(p_worker, pg_temp.day(p_days_ago), pg_temp.day(p_days_ago - 1), p_error)
$$;

-- The pauses and leases of all windows are over.
create function pg_temp.let_time_pass() returns void
language sql
as $$ update wallet.call_reconciliations set next_try_at = now() - interval '1 second' where status = 'due' $$;

-- Minutes until a window is due again.
create function pg_temp.pause(p_days_ago integer) returns numeric
language sql
return round(extract(epoch from (pg_temp.run(p_days_ago) ->> 'next_try_at')::timestamptz - clock_timestamp()) / 60);
