begin;
select plan(6);
\ir ../support.sql

-- The planner knows nothing of the table, whatever was done in this database before.
alter table wallet.credit_transactions disable trigger refuse_truncate;
truncate wallet.credit_transactions;
alter table wallet.credit_transactions enable always trigger refuse_truncate;

-- It learns of 300 wallets with one entry each. Then one of them gets 20,000, written past the functions for speed.
do $$
begin
    for v_number in 1 .. 300 loop
        perform pg_temp.open_wallet('small ' || v_number, 100);
    end loop;
    perform pg_temp.open_wallet('big', 100);
end $$;
analyze wallet.credit_transactions, wallet.organizations;
insert into wallet.credit_transactions (
    org_id, entry_number, created_at, type, direction, amount_pence, balance_before_pence, balance_after_pence,
    idempotency_key, call_id, provider_cost_pence, client_charged_pence, gross_profit_pence, created_by, entry_hash
)
select
    pg_temp.org('big'), n + 1, now(), 'call_deduction', 'debit', 1, 101 - n, 100 - n, 'call:' || n, n::text, 1, 1, 0,
    'system', sha256(n::text::bytea)
from generate_series(1, 20000) as n;
update wallet.organizations
set
    wallet_balance_pence = -19900, last_entry_number = 20001, last_entry_at = now(), debt_limit_pence = 1000000000
where id = pg_temp.org('big');

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

create function pg_temp.charges(p_name text, p_prefix text) returns jsonb
language sql
as $$
    select jsonb_agg(
        jsonb_build_object(
            'org_id', pg_temp.org(p_name || case p_name when 'small ' then n::text else '' end),
            'call_id', p_prefix || n,
            'client_charged_pence', 1,
            'provider_cost_pence', 1
        )
    )
    from generate_series(1, 100) as n
$$;

discard plans;
select cmp_ok(
    pg_temp.pages(format('select wallet.deduct_call_credits_batch(pg_temp.charges(%L, %s))', name, prefix)),
    '<', 10000,
    format('100 %s for %s read fewer than 100 pages each', what, whom)
)
from (
    values
    ('big', 'one wallet with a history', 'charges', 'random()::text'),
    ('big', 'one wallet with a history', 'replays', ''''''),
    ('small ', 'a wallet each', 'charges', 'random()::text')
) as batch (name, whom, what, prefix);

analyze wallet.credit_transactions, wallet.organizations;
select cmp_ok(
    pg_temp.pages(format('select wallet.deduct_call_credits_batch(pg_temp.charges(%L, %s))', name, prefix)),
    '<', 10000,
    format('after analyze 100 %s for %s do so too', what, whom)
)
from (
    values
    ('big', 'one wallet with a history', 'charges', 'random()::text'),
    ('big', 'one wallet with a history', 'replays', ''''''),
    ('small ', 'a wallet each', 'charges', 'random()::text')
) as batch (name, whom, what, prefix);

select * from finish();
rollback;
