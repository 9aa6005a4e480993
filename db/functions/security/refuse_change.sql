-- Append-only tables stay so for their owner too; only a superuser, or a member of wallet_owner, who
-- first disables the trigger gets past it, and verify_ledger shows what was done then.
create or replace function wallet.refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'WL008',
        message = format('%I.%I is append-only: %s refused', tg_table_schema, tg_table_name, lower(tg_op)),
        detail = jsonb_build_object('table', tg_table_name, 'operation', lower(tg_op))::text,
        hint = 'Correct a ledger entry with a new one: adjust_wallet.';
end;
$$;

revoke all on function wallet.refuse_change() from public;

comment on function wallet.refuse_change() is
'Trigger of the append-only tables: raises WL008 on update, delete and truncate.';

set local search_path = pg_catalog, pg_temp;

-- Created once: creating them again would lock the ledger against live traffic on every deployment.
do $$
declare
    v_table regclass;
begin
    foreach v_table in array array[
        'wallet.credit_transactions', 'wallet.organization_changes',
        'wallet.prices', 'wallet.exchange_rates', 'wallet.gate_limits'
    ]::regclass[]
    loop
        if not exists (
            select from pg_catalog.pg_trigger where tgrelid = v_table and tgname = 'refuse_row_change'
        ) then
            execute format(
                'create trigger refuse_row_change before update or delete on %1$s
                     for each row execute function wallet.refuse_change();
                 create trigger refuse_truncate before truncate on %1$s
                     for each statement execute function wallet.refuse_change();
                 alter table %1$s enable always trigger refuse_row_change;
                 alter table %1$s enable always trigger refuse_truncate',
                v_table
            );
        end if;
    end loop;
end;
$$;
