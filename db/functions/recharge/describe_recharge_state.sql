create or replace function wallet.describe_recharge_state(p_org_id uuid)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'has_payment_method', o.stripe_default_pm_id is not null,
        'payment_method', (
            select jsonb_build_object(
                'brand', p.brand, 'last4', p.last4, 'exp_month', p.exp_month, 'exp_year', p.exp_year
            )
            from wallet.payment_methods as p
            where p.org_id = o.id and p.id = o.stripe_default_pm_id
        ),
        'blocked_because', s.blocked_because,
        'obstacle', wallet.find_recharge_obstacle(o.id),
        'open_attempt', (
            select jsonb_build_object(
                'attempt_id', a.id, 'state', a.state, 'amount_pence', a.amount_pence, 'created_at', a.created_at
            )
            from wallet.recharge_attempts as a
            where a.org_id = o.id and a.closed_at is null
        )
    )
    from wallet.organizations as o
    inner join wallet.recharge_settings as s on s.org_id = o.id
    where o.id = p_org_id
$$;

revoke all on function wallet.describe_recharge_state(uuid) from public;

comment on function wallet.describe_recharge_state(uuid) is
'Internal: the card of automatic recharge, whether it could be charged now, what stands in its way, and the attempt that is open.';
