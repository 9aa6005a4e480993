create or replace function wallet.list_topup_options(p_org_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_currency text;
    v_limits wallet.topup_limits;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    select currency into v_currency from wallet.organizations where id = p_org_id;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;
    select * into v_limits from wallet.topup_limits where currency = v_currency;

    return jsonb_build_object(
        'success', true,
        'org_id', p_org_id,
        'currency', v_currency,
        'offered', v_limits.currency is not null,
        'min_pence', v_limits.min_pence,
        'max_pence', v_limits.max_pence,
        'presets_pence', (
            select coalesce(jsonb_agg(preset order by preset), '[]')
            from unnest(v_limits.presets_pence) as preset
            where preset between v_limits.min_pence and v_limits.max_pence
        ),
        'plans', (
            select coalesce(jsonb_agg(to_jsonb(offer) order by offer.price_pence, offer.plan), '[]')
            from (
                select
                    plan,
                    name,
                    price_pence,
                    credit_pence,
                    bonus_pence
                from wallet.topup_plans
                where currency = v_currency and active
            ) as offer
        ),
        'usd', v_currency <> 'usd' and wallet.find_exchange_rate(p_org_id, 'usd', v_currency, now()) is not null
    );
end;
$$;

revoke all on function wallet.list_topup_options(uuid) from public;
grant execute on function wallet.list_topup_options(uuid) to service_role;

comment on function wallet.list_topup_options(uuid) is
'What a customer can top up by: the smallest and largest amount and those to choose from (offered is false where the currency has no limits), the plans, all in minor units, and whether an amount can be given in US dollars. Refuses organization_not_found; raises WL001.';
