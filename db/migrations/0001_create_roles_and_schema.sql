-- Roles belong to the cluster: they are created when absent and reused when there. Supabase brings
-- service_role, authenticated and anon; another database of the cluster may have made them all.
do $$
declare
    v_role text;
begin
    foreach v_role in array array['wallet_owner', 'wallet_webhook', 'service_role', 'authenticated', 'anon']
    loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
            begin
                execute format('create role %I nologin', v_role);
            exception
                when duplicate_object or unique_violation then
                    null;  -- made a moment ago by a migration of another database
            end;
        end if;
    end loop;

    -- Since PostgreSQL 16 the creator of a role may grant it but not act as it. A superuser may anyway.
    if not pg_has_role(current_user, 'wallet_owner', 'usage') then
        execute format('grant wallet_owner to %I', current_user);
    end if;
end;
$$;

create schema wallet authorization wallet_owner;

set local role wallet_owner;

-- Without this every new function could be executed by anybody.
alter default privileges for role wallet_owner revoke execute on functions from public;

-- Rules of single values are domains: they are checked where a value is set, not again for every
-- unchanged column of a row that a charge rewrites.
create domain wallet.currency_code as text
constraint currency_code_check check (value ~ '^[a-z]{3}$');

create domain wallet.filled_text as text
constraint filled_text_check check (btrim(value, E' \t\n\r') <> '' and length(value) <= 300);

create domain wallet.positive_pence as bigint
constraint positive_pence_check check (value > 0);

create domain wallet.unsigned_pence as bigint
constraint unsigned_pence_check check (value >= 0);

comment on domain wallet.currency_code is 'ISO 4217, lower case.';
comment on domain wallet.filled_text is 'Not blank, at most 300 characters: a text of a caller''s, up to 255, with a prefix of ours.';
comment on domain wallet.positive_pence is 'An amount of money in minor units, above 0.';
comment on domain wallet.unsigned_pence is 'An amount of money in minor units, 0 or more.';

grant usage on schema wallet to service_role, wallet_webhook, authenticated;

comment on schema wallet is
'Prepaid wallets: an append-only ledger per organization and the functions that are its only way in.';

reset role;
