create or replace function wallet.cancel_requested_recharge(p_org_id uuid, p_reason text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    with canceled as (
        update wallet.recharge_attempts
        set
            state = 'canceled',
            last_error = p_reason,
            closed_at = clock_timestamp(),
            updated_at = clock_timestamp()
        where org_id = p_org_id and state = 'requested'
        returning org_id, id
    )

    update wallet.topups as t
    set status = 'canceled', last_error = p_reason, updated_at = clock_timestamp()
    from canceled as c
    where t.org_id = c.org_id and t.id = c.id
$$;

revoke all on function wallet.cancel_requested_recharge(uuid, text) from public;

comment on function wallet.cancel_requested_recharge(uuid, text) is
'Internal: takes back an attempt that no worker has claimed yet. One that was claimed may be at Stripe already and takes its course. The caller holds the organization''s lock, or the attempt''s.';
