create or replace function wallet.validate_credits_consistency()
returns table (org_id uuid, problem text, expected text, actual text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select
        o.id,
        finding.problem,
        finding.expected,
        finding.actual
    from wallet.organizations as o
    left join wallet.ledger_totals as t on t.org_id = o.id
    left join (
        select org_id, sum(reserved_pence) as pence from wallet.credit_reservations where status = 'open' group by org_id
    ) as r on r.org_id = o.id
    left join (
        select org_id, sum(owed_pence) as pence from wallet.calls group by org_id
    ) as c on c.org_id = o.id
    cross join lateral (
        values
        ('reserved_pence', coalesce(r.pence, 0)::text, o.reserved_pence::text),
        ('owed_pence', coalesce(c.pence, 0)::text, o.owed_pence::text),
        ('has_calls', (c.org_id is not null)::text, o.has_calls::text),
        ('wallet_balance_pence', coalesce(t.balance_pence, 0)::text, o.wallet_balance_pence::text),
        ('total_topped_up_pence', coalesce(t.total_topped_up_pence, 0)::text, o.total_topped_up_pence::text),
        ('total_spent_pence', coalesce(t.total_spent_pence, 0)::text, o.total_spent_pence::text),
        ('total_profit_pence', coalesce(t.total_profit_pence, 0)::text, o.total_profit_pence::text),
        ('total_calls', coalesce(t.total_calls, 0)::text, o.total_calls::text),
        ('last_entry_number', coalesce(t.last_entry_number, 0)::text, o.last_entry_number::text),
        ('entry_count', coalesce(t.last_entry_number, 0)::text, coalesce(t.entry_count, 0)::text)
    ) as finding (problem, expected, actual)
    where finding.expected <> finding.actual

    union all

    select
        t.org_id,
        'organization_missing',
        'a row in organizations',
        'none'
    from wallet.ledger_totals as t
    where not exists (select from wallet.organizations as o where o.id = t.org_id)

    union all

    select
        c.org_id,
        'call_charged',
        format('%s for call %s', coalesce(e.charged_pence, 0), c.call_id),
        format('%s for call %s', c.charged_pence, c.call_id)
    from wallet.calls as c
    left join (
        select
            org_id,
            call_id,
            sum(amount_pence) as charged_pence
        from wallet.credit_transactions
        where type = 'call_deduction'
        group by org_id, call_id
    ) as e on e.org_id = c.org_id and e.call_id = c.call_id
    where coalesce(e.charged_pence, 0) <> c.charged_pence

    union all

    select
        p.org_id,
        'topup_not_credited',
        format('an entry of %s with key %s', p.amount_pence, p.idempotency_key),
        coalesce(e.amount_pence::text, 'none')
    from wallet.topups as p
    left join wallet.credit_transactions as e
        on e.org_id = p.org_id and e.idempotency_key = p.idempotency_key
    where p.status = 'paid' and e.amount_pence is distinct from p.amount_pence

    union all

    select
        p.org_id,
        'bonus_not_credited',
        format('an entry of %s with key bonus:%s', p.bonus_pence, p.idempotency_key),
        coalesce(e.amount_pence::text, 'none')
    from wallet.topups as p
    left join wallet.credit_transactions as e
        on e.org_id = p.org_id and e.idempotency_key = 'bonus:' || p.idempotency_key
    where p.status = 'paid' and p.bonus_pence > 0 and e.amount_pence is distinct from p.bonus_pence

    union all

    select
        p.org_id,
        'topup_reversals',
        format('%s for %s', coalesce(e.reversed_pence, 0), p.stripe_payment_intent_id),
        format('%s for %s', p.reversed_pence, p.stripe_payment_intent_id)
    from wallet.topups as p
    left join (
        select
            org_id,
            stripe_payment_intent_id,
            sum(case direction when 'debit' then amount_pence else -amount_pence end) as reversed_pence
        from wallet.credit_transactions
        where type = 'topup_reversal'
        group by org_id, stripe_payment_intent_id
    ) as e on e.org_id = p.org_id and e.stripe_payment_intent_id = p.stripe_payment_intent_id
    where coalesce(e.reversed_pence, 0) <> p.reversed_pence

    union all

    select
        p.org_id,
        'event_parked',
        format('event %s applied to %s', w.event_id, p.stripe_payment_intent_id),
        'pending'
    from wallet.processed_stripe_webhooks as w
    inner join wallet.topups as p
        on p.stripe_payment_intent_id = w.event_data #>> '{data,object,payment_intent}'
    where w.status = 'pending' and p.status = 'paid'
$$;

revoke all on function wallet.validate_credits_consistency() from public;
grant execute on function wallet.validate_credits_consistency() to service_role;

comment on function wallet.validate_credits_consistency() is
'Holds every stored balance and total against the ledger, what is reserved and owed against the reservations and calls, every call against its entries, and every paid top-up against its credit, its bonus and its reversals: a row for each that differs, none when all is well.';
