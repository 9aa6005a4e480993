create or replace function wallet.wallet_statement(p_org_id uuid, p_from timestamptz, p_to timestamptz)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_currency text;
    v_first bigint;
    v_last bigint;
    v_opening bigint;
    v_closing bigint;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_from', p_from);
    perform wallet.require_value('p_to', p_to);
    if p_to < p_from then
        perform wallet.raise_misuse('WL006', 'p_to', 'must not be before p_from', p_to::text);
    end if;

    select currency into v_currency from wallet.organizations where id = p_org_id;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    v_first := wallet.last_entry_before(p_org_id, p_from) + 1;
    v_last := wallet.last_entry_before(p_org_id, p_to);
    v_opening := wallet.balance_after_entry(p_org_id, v_first - 1);
    v_closing := wallet.balance_after_entry(p_org_id, v_last);

    return (
        with entries as (
            select
                entry_number,
                id,
                created_at,
                type,
                direction,
                amount_pence,
                balance_after_pence,
                description
            from wallet.credit_transactions
            where org_id = p_org_id and entry_number between v_first and v_last
        ),

        by_type as (
            select
                type,
                direction,
                count(*) as entries,
                sum(amount_pence) as amount_pence
            from entries
            group by type, direction
        )

        select jsonb_build_object(
            'success', true,
            'org_id', p_org_id,
            'from', p_from,
            'to', p_to,
            'currency', v_currency,
            'opening_balance_pence', v_opening,
            'closing_balance_pence', v_closing,
            'opening_balance_formatted', wallet.format_money(v_opening, v_currency),
            'closing_balance_formatted', wallet.format_money(v_closing, v_currency),
            'total_credits_pence', (select coalesce(sum(amount_pence), 0) from by_type where direction = 'credit'),
            'total_debits_pence', (select coalesce(sum(amount_pence), 0) from by_type where direction = 'debit'),
            'by_type', (select coalesce(jsonb_agg(to_jsonb(by_type) order by type, direction), '[]') from by_type),
            'entries', (select coalesce(jsonb_agg(to_jsonb(entries) order by entry_number), '[]') from entries)
        )
    );
end;
$$;

revoke all on function wallet.wallet_statement(uuid, timestamptz, timestamptz) from public;
grant execute on function wallet.wallet_statement(uuid, timestamptz, timestamptz) to service_role, authenticated;

comment on function wallet.wallet_statement(uuid, timestamptz, timestamptz) is
'Opening balance, entries, totals by type and closing balance of a period: from p_from to before p_to, so that periods that meet add up. Refuses organization_not_found; raises WL001, WL006.';
