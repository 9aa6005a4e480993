-- docs.stripe.com/api/disputes/object: balance_transactions show funds withdrawn and reinstated.
create or replace function wallet.missing_dispute_events(p_dispute jsonb)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_id uuid;
    v_known wallet.stripe_disputes;
    v_missing text[] := '{}';
begin
    select org_id into v_org_id
    from wallet.topups
    where stripe_payment_intent_id = p_dispute ->> 'payment_intent' and status = 'paid'
    limit 1;
    if not found then
        return v_missing;
    end if;

    select * into v_known from wallet.stripe_disputes where org_id = v_org_id and id = p_dispute ->> 'id';

    if v_known.id is null then
        v_missing := v_missing || text 'charge.dispute.created';
    end if;
    if
        jsonb_path_exists(p_dispute, '$.balance_transactions[*].amount ? (@ < 0)')
        and v_known.funds_withdrawn is not true
    then
        v_missing := v_missing || text 'charge.dispute.funds_withdrawn';
    end if;
    if
        jsonb_path_exists(p_dispute, '$.balance_transactions[*].amount ? (@ > 0)')
        and v_known.funds_reinstated is not true
    then
        v_missing := v_missing || text 'charge.dispute.funds_reinstated';
    end if;
    if
        p_dispute ->> 'status' in ('won', 'lost', 'warning_closed')
        and v_known.status is distinct from p_dispute ->> 'status'
    then
        v_missing := v_missing || text 'charge.dispute.closed';
    end if;
    return v_missing;
end;
$$;

revoke all on function wallet.missing_dispute_events(jsonb) from public;

comment on function wallet.missing_dispute_events(jsonb) is
'Internal: the types of the events that would tell the present state of a dispute beyond what is known of it; none when it is about no credited payment.';
