-- The entries of the period are read once, through the primary key; days are those of the reader's clock.
create or replace function wallet.wallet_history(
    p_org_id uuid,
    p_from date,
    p_to date,
    p_time_zone text default 'UTC'
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_currency text;
    v_start timestamptz;
    v_end timestamptz;
    v_before bigint;
    v_opening bigint;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_from', p_from);
    perform wallet.require_value('p_to', p_to);
    perform wallet.require_value('p_time_zone', p_time_zone);
    if p_from not between '0001-01-01' and '9999-12-31' then
        perform wallet.raise_misuse('WL006', 'p_from', 'must be a day of the years 1 to 9999', p_from::text);
    elsif p_to not between p_from and p_from + 365 then
        perform wallet.raise_misuse('WL006', 'p_to', 'must be 0 to 365 days after p_from', p_to::text);
    end if;
    begin
        v_start := wallet.day_start(p_from, p_time_zone);
        v_end := wallet.day_start(p_to + 1, p_time_zone);
    exception
        when invalid_parameter_value then
            perform wallet.raise_misuse('WL006', 'p_time_zone', 'must be a time zone such as Europe/London', p_time_zone);
    end;

    select currency into v_currency from wallet.organizations where id = p_org_id;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    v_before := wallet.last_entry_before(p_org_id, v_start);
    v_opening := wallet.balance_after_entry(p_org_id, v_before);

    return (
        with sums as (
            select
                (created_at at time zone p_time_zone)::date as day,
                type,
                direction,
                sum(amount_pence) as amount_pence
            from wallet.credit_transactions
            where
                org_id = p_org_id
                and entry_number between v_before + 1 and wallet.last_entry_before(p_org_id, v_end)
            group by 1, 2, 3
        ),

        days as (
            select
                p_from + i as day,
                coalesce(sum(amount_pence) filter (where direction = 'credit'), 0) as credited,
                coalesce(sum(amount_pence) filter (where direction = 'debit'), 0) as debited,
                jsonb_object_agg(type, amount_pence) filter (where direction = 'credit') as credits,
                jsonb_object_agg(type, amount_pence) filter (where direction = 'debit') as debits
            from generate_series(0, p_to - p_from) as i
            left join sums on day = p_from + i
            group by i
        )

        select jsonb_build_object(
            'success', true,
            'org_id', p_org_id,
            'currency', v_currency,
            'time_zone', p_time_zone,
            'opening_balance_pence', v_opening,
            'days', (
                select jsonb_agg(
                    jsonb_build_object(
                        'day', day,
                        'closing_balance_pence', v_opening + balance_change,
                        'credits', coalesce(credits, '{}'),
                        'debits', coalesce(debits, '{}')
                    )
                    order by day
                )
                from (
                    select
                        day,
                        credits,
                        debits,
                        sum(credited - debited) over (order by day) as balance_change
                    from days
                ) as running
            )
        )
    );
end;
$$;

revoke all on function wallet.wallet_history(uuid, date, date, text) from public;
grant execute on function wallet.wallet_history(uuid, date, date, text) to service_role, authenticated;

comment on function wallet.wallet_history(uuid, date, date, text) is
'Day by day from p_from to p_to, both included and at most 366 days, by the clock of p_time_zone: the balance at the day''s end and what was credited and debited by type, in minor units. Takes as long as the period has entries. Refuses organization_not_found; raises WL001, WL006.';
