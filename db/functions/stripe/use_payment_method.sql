create or replace function wallet.use_payment_method(p_org_id uuid, p_payment_method_id text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update wallet.organizations as o
    set stripe_default_pm_id = p_payment_method_id, updated_at = clock_timestamp()
    where
        o.id = p_org_id
        and (
            o.stripe_default_pm_id is null
            or exists (
                select from wallet.recharge_settings as s
                where s.org_id = o.id and s.blocked_payment_method_id = o.stripe_default_pm_id
            )
        );

    update wallet.recharge_settings
    set blocked_payment_method_id = null, blocked_because = null, declines = 0, updated_at = clock_timestamp()
    where
        org_id = p_org_id
        and blocked_payment_method_id <> (
            select stripe_default_pm_id from wallet.organizations where id = p_org_id
        );
end;
$$;

revoke all on function wallet.use_payment_method(uuid, text) from public;

comment on function wallet.use_payment_method(uuid, text) is
'Internal: makes a card the one that is charged where there is none, or where the present one is not tried any more; a new card ends that block. The caller holds the organization''s lock.';
