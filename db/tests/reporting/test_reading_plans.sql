-- What pages read of a wallet with most of the history: 60,000 entries. As the tenant, whose row level security the
-- planner has to get along with; before and after analyze.
begin;
select plan(51);
\ir ../support.sql
\ir ../tenants/tenants.sql
\ir ledgers.sql

-- The planner knows nothing of the table, whatever was done in this database before.
alter table wallet.credit_transactions disable trigger refuse_truncate;
truncate wallet.credit_transactions;
alter table wallet.credit_transactions enable always trigger refuse_truncate;

-- A charge every ten minutes, and a number bought with the very first.
select pg_temp.write_ledger(
    'acme',
    (
        select
            jsonb_agg(
                jsonb_build_object(
                    'at', '2026-01-01 00:00Z'::timestamptz + n * interval '10 minutes',
                    'kind', case n when 1 then 'did' else 'call_deduction' end, 'direction', 'debit', 'pence', 1
                )
                order by n
            )
        from generate_series(1, 60000) as n
    )
) as big
\gset
do $$
begin
    for v_number in 1 .. 50 loop
        perform pg_temp.open_wallet('small ' || v_number, 100);
    end loop;
end $$;

-- How often the ledger was scanned as a whole, by its key of entry numbers, and by its other key.
create function pg_temp.scans() returns bigint[]
language sql
return array[
    pg_stat_get_xact_numscans('wallet.credit_transactions'::regclass),
    pg_stat_get_xact_numscans('wallet.credit_transactions_pkey'::regclass),
    pg_stat_get_xact_numscans('wallet.credit_transactions_idempotency_key_key'::regclass)
];

-- Pages that a statement reads, those of the functions that it calls among them, and how often it scans what.
create function pg_temp.read_by(
    p_role text, p_statement text, out pages integer, out sequential bigint, out by_number bigint, out by_key bigint
)
language plpgsql
as $$
declare
    v_before bigint[];
    v_after bigint[];
    v_plan jsonb;
begin
    -- From the sixth time on a function may use a plan that is made for any arguments.
    for v_time in 1 .. 7 loop
        perform pg_temp.outcome(p_role, pg_temp.claims('acme'), p_statement);
    end loop;
    v_before := pg_temp.scans();
    v_plan := pg_temp.outcome(
        p_role, pg_temp.claims('acme'), 'explain (analyze, buffers, timing off, format json) ' || p_statement
    );
    v_after := pg_temp.scans();
    pages := (v_plan #>> '{0,Plan,Shared Hit Blocks}')::integer + (v_plan #>> '{0,Plan,Shared Read Blocks}')::integer;
    sequential := v_after[1] - v_before[1];
    by_number := v_after[2] - v_before[2];
    by_key := v_after[3] - v_before[3];
end;
$$;

-- What each may read at most: a page of entries and the index above it, and for each moment a search by halves. With
-- types it is the 20,000 entries that a call looks at, a third of all.
create temporary table measured (what, most, statement) as
values
('the summary', 30, 'select wallet.get_wallet_summary(pg_temp.org(''acme''))'),
('the first page', 60, 'select wallet.list_transactions(pg_temp.org(''acme''), 50)'),
('a page from the middle', 60, 'select wallet.list_transactions(pg_temp.org(''acme''), 50, 20000)'),
(
    'the first page of a month', 200,
    'select wallet.list_transactions(
        pg_temp.org(''acme''), 50, p_from => ''2026-03-01 00:00Z'', p_to => ''2026-04-01 00:00Z''
    )'
),
(
    'a later page of a month', 200,
    'select wallet.list_transactions(
        pg_temp.org(''acme''), 50, 10000, p_from => ''2026-03-01 00:00Z'', p_to => ''2026-04-01 00:00Z''
    )'
),
(
    'the first page since a moment', 150,
    'select wallet.list_transactions(pg_temp.org(''acme''), 50, p_from => ''2026-03-01 00:00Z'')'
),
(
    'a page of a period without entries', 200,
    'select wallet.list_transactions(
        pg_temp.org(''acme''), 50, p_from => ''2025-03-01 00:00Z'', p_to => ''2025-04-01 00:00Z''
    )'
),
(
    'the first page of a type that is everywhere', 60,
    'select wallet.list_transactions(pg_temp.org(''acme''), 50, null, array[''call_deduction''])'
),
(
    'the first page of a type in a month', 300,
    'select wallet.list_transactions(
        pg_temp.org(''acme''), 50, null, array[''did''], ''2026-03-01 00:00Z'', ''2026-04-01 00:00Z''
    )'
),
(
    'the first page of a type that is rare', 700,
    'select wallet.list_transactions(pg_temp.org(''acme''), 50, null, array[''did''])'
),
('a page of a file', 150, 'select wallet.export_transactions(pg_temp.org(''acme''))'),
(
    'the history of three weeks', 500,
    'select wallet.wallet_history(pg_temp.org(''acme''), ''2026-03-01'', ''2026-03-21'', ''Europe/London'')'
);

-- A session that planned its statements while the wallets were small starts anew.
discard plans;

create temporary table noted as
select role, what, most, read.*
from measured, unnest(array['authenticated', 'service_role']) as role, pg_temp.read_by(role, statement) as read;

select cmp_ok(pages, '<', most, format('before analyze %s reads fewer than %s pages for %s', what, most, role))
from noted;
select is_empty(
    'select role, what, sequential, by_key from noted where sequential + by_key <> 0 or by_number is null',
    'before analyze the ledger is read by entry numbers alone'
);

analyze wallet.credit_transactions, wallet.organizations;
discard plans;

create temporary table noted_after as
select role, what, most, read.*
from measured, unnest(array['authenticated', 'service_role']) as role, pg_temp.read_by(role, statement) as read;

select cmp_ok(pages, '<', most, format('after analyze %s reads fewer than %s pages for %s', what, most, role))
from noted_after;
select is_empty(
    'select role, what, sequential, by_key from noted_after where sequential + by_key <> 0 or by_number is null',
    'after analyze the ledger is read by entry numbers alone'
);
select cmp_ok(
    (pg_relation_size('wallet.credit_transactions') / 8192)::integer, '>', 1000,
    'reading the whole history would take many more'
);

select * from finish();
rollback;
