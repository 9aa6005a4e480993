begin;
select plan(16);
\ir ../support.sql

-- The planner knows nothing of the table, whatever was done in this database before.
alter table wallet.credit_transactions disable trigger refuse_truncate;
truncate wallet.credit_transactions;
alter table wallet.credit_transactions enable always trigger refuse_truncate;

-- One wallet with most of the history: 20,000 entries, written past the functions for speed.
do $$
begin
    for v_number in 1 .. 50 loop
        perform pg_temp.open_wallet('small ' || v_number, 100);
    end loop;
    perform pg_temp.open_wallet('big');
end $$;
insert into wallet.credit_transactions (
    org_id, entry_number, created_at, type, direction, amount_pence, balance_before_pence, balance_after_pence,
    idempotency_key, call_id, provider_cost_pence, client_charged_pence, gross_profit_pence, created_by, entry_hash
)
select
    pg_temp.org('big'), n, now() - interval '20000 minutes' + n * interval '1 minute', 'call_deduction', 'debit', 1,
    1 - n, -n, 'call:' || n, n::text, 1, 1, 0, 'system', sha256(n::text::bytea)
from generate_series(1, 20000) as n;
update wallet.organizations
set
    wallet_balance_pence = -20000, total_spent_pence = 20000, total_calls = 20000, last_entry_number = 20000,
    last_entry_at = now(), last_entry_hash = sha256('20000'), debt_limit_pence = 100000
where id = pg_temp.org('big');

prepare look_up (uuid, text) as
select * from wallet.credit_transactions where org_id = $1 and idempotency_key = $2;
set local plan_cache_mode = 'force_generic_plan';

create function pg_temp.plan_of(p_statement text) returns jsonb
language plpgsql
as $$
declare
    v_plan jsonb;
begin
    execute 'explain (format json) ' || p_statement into v_plan;
    return v_plan #> '{0,Plan}';
end;
$$;

-- Pages that a statement reads, those of the functions that it calls among them.
create function pg_temp.pages(p_statement text) returns integer
language plpgsql
as $$
declare
    v_plan jsonb;
begin
    execute p_statement;
    execute 'explain (analyze, buffers, timing off, format json) ' || p_statement into v_plan;
    return (v_plan #>> '{0,Plan,Shared Hit Blocks}')::integer + (v_plan #>> '{0,Plan,Shared Read Blocks}')::integer;
end;
$$;

create function pg_temp.check_look_up(p_when text) returns setof text
language plpgsql
as $$
declare
    v_plan constant jsonb := pg_temp.plan_of(format('execute look_up(%L, %L)', pg_temp.org('big'), 'call:7'));
begin
    return next is(
        coalesce(v_plan ->> 'Index Name', v_plan #>> '{Plans,0,Index Name}'),
        'credit_transactions_idempotency_key_key',
        p_when || ' the look-up of a key uses the index of keys'
    );
    return next alike(
        coalesce(v_plan ->> 'Index Cond', v_plan #>> '{Plans,0,Index Cond}'),
        '%org_id = $1%idempotency_key%= $2%',
        p_when || ' it searches by both columns'
    );
    return next is(v_plan ->> 'Filter', null, p_when || ' it filters nothing afterwards');
end;
$$;

create temporary table measured (what, most, is_hot, statement) as
values
('a replayed charge', 60, true, $$select wallet.deduct_call_credits(pg_temp.org('big'), '10000', 'v', 1, 0, 1)$$),
('a charge', 120, true, $$select wallet.deduct_call_credits(pg_temp.org('big'), random()::text, 'v', 1, 0, 1)$$),
('the summary', 30, false, $$select wallet.get_wallet_summary(pg_temp.org('big'))$$),
('the newest page', 60, false, $$select wallet.list_transactions(pg_temp.org('big'), 50)$$),
('a page from the middle', 60, false, $$select wallet.list_transactions(pg_temp.org('big'), 50, 10000)$$),
('the balance a week ago', 150, false, $$select wallet.balance_at(pg_temp.org('big'), now() - interval '7 days')$$),
(
    'the statement of an hour', 300, false,
    $$
        select wallet.wallet_statement(
            pg_temp.org('big'), now() - interval '7 days', now() - interval '7 days' + interval '1 hour'
        )
    $$
);

-- A session that planned its statements while the wallets were small starts anew.
discard plans;

select pg_temp.check_look_up('before analyze');
select cmp_ok(
    pg_temp.pages(statement), '<', most, format('before analyze %s reads fewer than %s pages', what, most)
)
from measured
where is_hot;

analyze wallet.credit_transactions, wallet.organizations;
select pg_temp.check_look_up('after analyze');
select cmp_ok(
    pg_temp.pages(statement), '<', most, format('after analyze %s reads fewer than %s pages', what, most)
)
from measured;

select cmp_ok(
    (pg_relation_size('wallet.credit_transactions') / 8192)::integer, '>', 400,
    'reading the whole history would take many more'
);

select * from finish();
rollback;
