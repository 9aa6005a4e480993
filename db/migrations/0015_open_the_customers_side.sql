-- topup_limits has a row for each currency: nothing waits for its lock.
-- squawk-ignore-file constraint-missing-not-valid

-- As in the first migration: created when absent, reused when another database of the cluster has made it.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'wallet_gateway') then
        begin
            -- Without inherit: a member may become a tenant for a transaction, and holds nothing until then.
            create role wallet_gateway nologin noinherit;
        exception
            when duplicate_object or unique_violation then
                null;  -- made a moment ago by a migration of another database
        end;
    end if;

    if not pg_has_role('wallet_gateway', 'authenticated', 'member') then
        begin
            grant authenticated to wallet_gateway;
        exception
            when insufficient_privilege then
                raise warning 'wallet_gateway is no member of authenticated yet'
                using hint = 'As a role that may: grant authenticated to wallet_gateway. Until then the service can''t serve the wallet page.';
            when unique_violation then
                null;  -- granted a moment ago by a migration of another database
        end;
    end if;
end;
$$;

set local role wallet_owner;

alter table wallet.topup_limits
add column presets_pence bigint[] not null default '{1000,2500,5000,10000}',
add constraint topup_limits_presets_pence_check check (
    array_position(presets_pence, null) is null and cardinality(presets_pence) <= 8 and 0 < all(presets_pence)
);

grant select (presets_pence) on wallet.topup_limits to authenticated;

comment on column wallet.topup_limits.presets_pence is
'Amounts that a customer is offered to choose from, in minor units, at most 8; those outside the limits are left out.';

-- Everything but what one user asked with: a colleague's e-mail address and request keys are not for all.
revoke select on wallet.topups from authenticated;
grant select (
    org_id, id, kind, status, amount_pence, bonus_pence, price_pence, charged_pence, refunded_pence, reversed_pence,
    reversals, currency, plan, stripe_checkout_session_id, stripe_payment_intent_id, checkout_url, expires_at,
    last_error, created_at, updated_at
) on wallet.topups to authenticated;

reset role;
