-- The lease is next_try_at: whoever dies with a claim loses it, and the attempt is claimed again under
-- the same idempotency key. Stripe keeps keys for at least 24 hours; an hour is left for clocks and
-- slow calls. After that, and once a wallet is frozen, Stripe is only asked what it knows.
create or replace function wallet.claim_recharges(
    p_worker text,
    p_limit integer default 10,
    p_lease_seconds integer default 60
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := clock_timestamp();
    v_claims jsonb;
begin
    perform wallet.require_text('p_worker', p_worker);
    perform wallet.require_amount('p_limit', p_limit);
    perform wallet.require_amount('p_lease_seconds', p_lease_seconds);

    -- Somebody may have topped up since.
    perform wallet.cancel_requested_recharge(s.org_id, 'The balance is sufficient again.')
    from (
        select a.org_id
        from wallet.recharge_attempts as a
        inner join wallet.organizations as o on o.id = a.org_id
        where
            a.state = 'requested'
            and a.closed_at is null
            and a.next_try_at <= v_now
            and o.wallet_balance_pence >= o.wallet_low_balance_pence
        for no key update of a skip locked
    ) as s;

    with due as (
        select
            a.org_id,
            a.id,
            case
                when a.state = 'requires_action' then 'cancel'
                when a.state = 'processing' then 'look_up'
                when a.first_called_at <= v_now - interval '23 hours' then 'look_up'
                when o.frozen then 'look_up'
                else 'charge'
            end as action
        from wallet.recharge_attempts as a
        inner join wallet.organizations as o on o.id = a.org_id
        where a.closed_at is null and a.next_try_at <= v_now
        order by a.next_try_at
        limit p_limit
        for no key update of a skip locked
    ),

    claimed as (
        update wallet.recharge_attempts as a
        set
            state = case
                when d.action = 'charge' then 'calling'
                when a.state = 'calling' then 'unknown'
                else a.state
            end,
            first_called_at = coalesce(a.first_called_at, v_now),
            next_try_at = v_now + make_interval(secs => p_lease_seconds),
            claims = a.claims + 1,
            claimed_by = p_worker,
            updated_at = v_now
        from due as d
        where a.org_id = d.org_id and a.id = d.id
        returning a.*, d.action
    )

    select
        jsonb_agg(
            jsonb_build_object('org_id', c.org_id, 'attempt_id', c.id, 'action', c.action)
            || case c.action
                when 'charge' then jsonb_build_object('idempotency_key', c.id, 'params', t.stripe_request)
                when 'look_up' then jsonb_build_object(
                    'params', jsonb_build_object(
                        'customer', c.stripe_customer_id,
                        'created', jsonb_build_object(
                            'gte', floor(extract(epoch from c.created_at - interval '1 hour'))
                        ),
                        'limit', 100
                    )
                )
                when 'cancel' then jsonb_build_object(
                    'idempotency_key', 'cancel:' || c.id,
                    'payment_intent_id', c.stripe_payment_intent_id
                )
            end
        ) into v_claims
    from claimed as c
    inner join wallet.topups as t on t.org_id = c.org_id and t.id = c.id;

    return jsonb_build_object('success', true, 'recharges', coalesce(v_claims, '[]'));
end;
$$;

revoke all on function wallet.claim_recharges(text, integer, integer) from public;
grant execute on function wallet.claim_recharges(text, integer, integer) to wallet_worker, service_role;

comment on function wallet.claim_recharges(text, integer, integer) is
'Hands out due attempts, each to one worker for p_lease_seconds: what to ask Stripe (charge, look_up, cancel), with which parameters and idempotency key. The worker commits, asks, and reports to record_recharge_result. What was requested and is not needed any more is canceled. Locks the attempts and skips locked ones. Raises WL001, WL002, WL005.';
