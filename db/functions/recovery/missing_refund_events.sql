-- Without a credited top-up there is nothing to reverse; payment intents are compared before refunds.
create or replace function wallet.missing_refund_events(p_refund jsonb)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if
        exists (
            select
            from wallet.topups as t
            left join wallet.stripe_refunds as r on r.org_id = t.org_id and r.id = p_refund ->> 'id'
            where
                t.stripe_payment_intent_id = p_refund ->> 'payment_intent'
                and t.status = 'paid'
                and r.status is distinct from p_refund ->> 'status'
        )
    then
        return array[case p_refund ->> 'status' when 'failed' then 'refund.failed' else 'refund.updated' end];
    end if;
    return '{}';
end;
$$;

revoke all on function wallet.missing_refund_events(jsonb) from public;

comment on function wallet.missing_refund_events(jsonb) is
'Internal: the type of the event that would tell the present state of a refund, unless it is known already or the refund is of no credited payment.';
