create or replace function wallet.count_recharges()
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_object_agg(s.state, coalesce(a.attempts, 0))
    from unnest(
        array[
            'requested', 'calling', 'unknown', 'processing', 'requires_action', 'unresolved',
            'succeeded', 'declined', 'canceled'
        ]
    ) as s (state)
    left join (
        select
            state,
            count(*) as attempts
        from (
            select state from wallet.recharge_attempts
            where closed_at is null

            union all

            select state from wallet.recharge_attempts
            where closed_at > now() - interval '1 day'
        ) as current_ones
        group by state
    ) as a on a.state = s.state
$$;

revoke all on function wallet.count_recharges() from public;

comment on function wallet.count_recharges() is
'Internal: how many recharge attempts are in each state, of the closed ones those of the last 24 hours; every state has its number.';
