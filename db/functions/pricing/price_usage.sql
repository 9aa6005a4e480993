-- Called for everything that is billed. What it answers is what cost_breakdown keeps, so that an
-- amount can be worked out again by hand when the price book has long moved on.
create or replace function wallet.price_usage(
    p_org_id uuid,
    p_service text,
    p_quantity bigint,
    p_at timestamptz
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_priced_as text;
    v_measured_in text;
    v_currency text;
    v_price wallet.prices;
    v_size bigint;
    v_rate numeric := 1;
    v_price_amount numeric;
    v_amount numeric;
    v_amount_pence bigint;
begin
    select s.priced_as, s.measured_in, o.currency into v_priced_as, v_measured_in, v_currency
    from wallet.services as s
    left join wallet.organizations as o on o.id = p_org_id
    where s.service = p_service;

    if not found then
        perform wallet.raise_misuse('WL006', 'p_service', 'must be one of the services', p_service);
    elsif v_currency is null then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    v_price := wallet.find_price(p_org_id, v_priced_as, p_at);
    if v_price.unit_price is null then
        return wallet.refuse(
            'price_not_found',
            format('There is no price for %s at %s.', p_service, p_at),
            jsonb_build_object('service', p_service)
        );
    end if;

    select size into strict v_size
    from wallet.price_units
    where unit = v_price.unit;

    v_price_amount := wallet.round_ratio(p_quantity * v_price.unit_price, v_size, v_price.rounding);
    v_amount := v_price_amount;
    if v_price.currency <> v_currency then
        v_rate := wallet.find_exchange_rate(p_org_id, v_price.currency, v_currency, p_at);
        if v_rate is null then
            return wallet.refuse_missing_rate(v_price.currency, v_currency);
        end if;
        v_amount := wallet.exchange(v_price_amount, v_price.currency, v_currency, v_rate, v_price.rounding);
    end if;
    v_amount_pence := wallet.require_bigint('p_quantity', v_amount, p_quantity);

    return jsonb_build_object(
        'success', true,
        'amount_pence', v_amount_pence,
        'currency', v_currency,
        'breakdown', jsonb_build_object(
            'service', p_service,
            'quantity', p_quantity,
            'measured_in', v_measured_in,
            'unit', v_price.unit,
            'unit_size', v_size,
            'unit_price', trim_scale(v_price.unit_price),
            'price_currency', v_price.currency,
            'price_amount', v_price_amount,
            'rounding', v_price.rounding,
            'exchange_rate', v_rate,
            'amount_pence', v_amount_pence,
            'currency', v_currency,
            'effective_from', v_price.effective_from,
            'own_price', v_price.org_id is not null
        )
    );
end;
$$;

revoke all on function wallet.price_usage(uuid, text, bigint, timestamptz) from public;

comment on function wallet.price_usage(uuid, text, bigint, timestamptz) is
'Internal: what a quantity of a service, 0 or more in what it is measured in, costs at a time, in minor units of the wallet''s currency, with the breakdown that explains it: rounded to the minor unit of the price''s currency, then to the wallet''s. Takes no lock. Refuses organization_not_found, price_not_found, exchange_rate_not_found; raises WL006, WL009.';
