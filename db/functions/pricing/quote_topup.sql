create or replace function wallet.quote_topup(p_usd_cents bigint, p_org_id uuid default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_currency text := 'gbp';
    v_rate numeric;
    v_pence bigint;
begin
    perform wallet.require_amount('p_usd_cents', p_usd_cents);
    if p_org_id is not null then
        select currency into v_currency
        from wallet.organizations
        where id = p_org_id;
        if not found then
            return wallet.refuse_unknown_organization(p_org_id);
        end if;
    end if;

    v_rate := wallet.find_exchange_rate(p_org_id, 'usd', v_currency, now());
    if v_rate is null then
        return wallet.refuse_missing_rate('usd', v_currency);
    end if;
    v_pence := wallet.require_bigint(
        'p_usd_cents', wallet.exchange(p_usd_cents, 'usd', v_currency, v_rate, 'nearest'), p_usd_cents
    );

    return jsonb_build_object(
        'success', true,
        'charge_pence', v_pence,
        'credit_pence', v_pence,
        'currency', v_currency,
        'charge_formatted', wallet.format_money(v_pence, v_currency),
        'usd_cents', p_usd_cents,
        'usd_formatted', wallet.format_money(p_usd_cents, 'usd'),
        'exchange_rate', v_rate
    );
end;
$$;

revoke all on function wallet.quote_topup(bigint, uuid) from public;
grant execute on function wallet.quote_topup(bigint, uuid) to service_role;

comment on function wallet.quote_topup(bigint, uuid) is
'What a top-up that is shown as US cents, above 0, charges and credits in minor units of the wallet''s currency (gbp without an organization), to the nearest, at the rate of now. Writes nothing. Refuses organization_not_found, exchange_rate_not_found; raises WL001, WL002, WL009.';
