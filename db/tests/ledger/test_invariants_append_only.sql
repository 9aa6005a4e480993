begin;
select plan(26);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 300, 400);
end $$;

-- Not even the owner, not even while triggers are off for replication.
create function pg_temp.as_owner(p_statement text) returns text
language sql
return pg_temp.outcome('wallet_owner', '', p_statement);

select is(pg_temp.as_owner(statement), 'WL008', format('the owner is refused: %s', statement))
from
    unnest(
        array[
            'update wallet.credit_transactions set description = ''forged''',
            'update wallet.credit_transactions set description = description',
            'delete from wallet.credit_transactions',
            'truncate wallet.credit_transactions',
            'truncate wallet.credit_transactions cascade',
            'truncate wallet.organizations cascade',
            'insert into wallet.credit_transactions select * from wallet.credit_transactions
             on conflict on constraint credit_transactions_pkey do update set description = ''forged''',
            'merge into wallet.credit_transactions as t using wallet.organizations as o on t.org_id = o.id
             when matched then delete',
            'with gone as (delete from wallet.credit_transactions returning 1) select count(*) from gone'
        ]
    ) as statement;
select is(pg_temp.as_owner('delete from wallet.organizations'), '23503', 'a wallet with history can''t be deleted');
select throws_ok(statement, 'WL008', null, format('a superuser is refused: %s', statement))
from
    unnest(
        array[
            'update wallet.credit_transactions set amount_pence = 1',
            'delete from wallet.credit_transactions',
            'truncate wallet.credit_transactions'
        ]
    ) as statement;

set local session_replication_role = 'replica';
select throws_ok(statement, 'WL008', null, format('triggers off for replication don''t help: %s', statement))
from
    unnest(
        array[
            'update wallet.credit_transactions set amount_pence = 1',
            'delete from wallet.credit_transactions',
            'truncate wallet.credit_transactions'
        ]
    ) as statement;
set local session_replication_role = 'origin';

select is(pg_temp.as_owner(statement), 'WL008', format('so is the record of changed settings: %s', statement))
from
    (
        select wallet.set_debt_limit(pg_temp.org('acme'), 700, 'ann') as changed
    ) as setting,
    unnest(
        array[
            'update wallet.organization_changes set actor = ''nobody''',
            'delete from wallet.organization_changes',
            'truncate wallet.organization_changes'
        ]
    ) as statement
where (setting.changed ->> 'success')::boolean;

-- Nobody but its owner has a privilege to write the ledger at all.
select is(
    pg_temp.outcome(role, '', statement), '42501', format('%s may not: %s', role, statement)
)
from
    unnest(array['service_role', 'wallet_webhook', 'authenticated']) as role,
    unnest(
        array[
            'update wallet.credit_transactions set description = ''forged''',
            'truncate wallet.credit_transactions'
        ]
    ) as statement;

do $$ begin perform wallet.set_debt_limit(pg_temp.org('acme'), 500, 'ann'); end $$;
select pg_temp.books_are_right();

select * from finish();
rollback;
