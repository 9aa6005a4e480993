-- Dollars are what a customer may think in: the wallet's currency is what is charged.
create or replace function wallet.quote_own_topup(p_usd_cents bigint default null, p_amount_pence bigint default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_id constant uuid := wallet.own_org_id();
    v_currency text;
    v_rate numeric;
    v_usd_cents numeric;
begin
    if num_nonnulls(p_usd_cents, p_amount_pence) <> 1 then
        perform wallet.raise_misuse('WL006', 'p_usd_cents', 'must be given, or p_amount_pence, and not both');
    end if;

    select currency into v_currency from wallet.organizations where id = v_org_id;
    if not found then
        return wallet.refuse_unknown_organization(v_org_id);
    elsif p_usd_cents is not null then
        return wallet.quote_topup(p_usd_cents, v_org_id);
    end if;

    perform wallet.require_amount('p_amount_pence', p_amount_pence);
    v_rate := wallet.find_exchange_rate(v_org_id, 'usd', v_currency, now());
    v_usd_cents := wallet.round_ratio(
        p_amount_pence * 10::numeric ^ wallet.currency_decimals('usd'),
        v_rate * 10::numeric ^ wallet.currency_decimals(v_currency),
        'nearest'
    );

    return jsonb_build_object(
        'success', true,
        'charge_pence', p_amount_pence,
        'credit_pence', p_amount_pence,
        'currency', v_currency,
        'charge_formatted', wallet.format_money(p_amount_pence, v_currency),
        'usd_cents', v_usd_cents,
        'usd_formatted', wallet.format_money(wallet.require_bigint('p_amount_pence', v_usd_cents, p_amount_pence), 'usd'),
        'exchange_rate', v_rate
    );
end;
$$;

revoke all on function wallet.quote_own_topup(bigint, bigint) from public;
grant execute on function wallet.quote_own_topup(bigint, bigint) to authenticated;

comment on function wallet.quote_own_topup(bigint, bigint) is
'What a top-up of so many US cents charges in minor units of the wallet''s currency (see quote_topup), or the other way: about how many US cents an amount is, null where there is no rate. For the organization that the token names. Writes nothing. Refuses organization_not_found, exchange_rate_not_found; raises WL002, WL006, WL009.';
