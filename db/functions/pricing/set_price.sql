create or replace function wallet.set_price(
    p_service text,
    p_unit text,
    p_unit_price numeric,
    p_currency text,
    p_actor text,
    p_rounding text default 'up',
    p_effective_from timestamptz default null,
    p_org_id uuid default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_service wallet.services;
    v_from constant timestamptz := wallet.read_effective_from(p_effective_from);
    -- The first price there is may be dated back: nothing can have been charged by another.
    v_first_from constant timestamptz := case when v_from < now() then p_effective_from end;
    v_price wallet.prices;
    v_duplicate boolean;
begin
    perform wallet.require_text('p_service', p_service);
    perform wallet.require_text('p_unit', p_unit);
    perform wallet.require_currency('p_currency', p_currency);
    perform wallet.require_text('p_actor', p_actor);
    perform wallet.require_rounding('p_rounding', p_rounding);
    if p_unit_price is null and p_org_id is null then
        perform wallet.raise_misuse('WL001', 'p_unit_price', 'is required');
    elsif p_unit_price < 0 or p_unit_price >= 1e12 or p_unit_price <> round(p_unit_price, 8) then
        perform wallet.raise_misuse(
            'WL002', 'p_unit_price', 'must be from 0 to below 10^12, with at most 8 decimals', p_unit_price::text
        );
    end if;

    perform pg_advisory_xact_lock(hashtext('wallet price book'), 0);
    select * into v_service
    from wallet.services
    where service = p_service or priced_as = p_service;
    if not found then
        perform wallet.raise_misuse('WL006', 'p_service', 'must be one of the services', p_service);
    elsif not exists (select from wallet.price_units where unit = p_unit and measured_in = v_service.measured_in) then
        perform wallet.raise_misuse(
            'WL006', 'p_unit', 'must be a unit of price_units for what is measured in: ' || v_service.measured_in, p_unit
        );
    elsif p_org_id is not null and not exists (select from wallet.organizations where id = p_org_id) then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_price
    from wallet.prices
    where service = v_service.priced_as and org_id is not distinct from p_org_id and effective_from <= v_from
    order by effective_from desc, id desc
    limit 1;

    v_duplicate := case
        when p_unit_price is null or v_price.unit_price is null then v_price.unit_price is not distinct from p_unit_price
        else
            (v_price.unit, v_price.unit_price, v_price.currency, v_price.rounding)
            = (p_unit, p_unit_price, p_currency, p_rounding)
    end;
    if not v_duplicate then
        if
            v_from < now()
            and exists (
                select from wallet.prices
                where
                    service = v_service.priced_as
                    and (org_id is null or org_id = p_org_id)
                    and effective_from <= now()
            )
        then
            perform wallet.raise_misuse(
                'WL006', 'p_effective_from', 'must not lie in the past, where there was a price', p_effective_from::text
            );
        end if;

        insert into wallet.prices (
            org_id, service, unit, unit_price, currency, rounding, effective_from, created_by
        )
        values (
            p_org_id,
            v_service.priced_as,
            p_unit,
            p_unit_price,
            p_currency,
            p_rounding,
            least(v_from, v_first_from),
            p_actor
        )
        returning * into v_price;
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_duplicate,
        'price_id', v_price.id,
        'org_id', p_org_id,
        'service', v_service.priced_as,
        'unit', p_unit,
        'unit_price', p_unit_price,
        'currency', p_currency,
        'rounding', p_rounding,
        'effective_from', coalesce(v_price.effective_from, v_from)
    );
end;
$$;

revoke all on function wallet.set_price(text, text, numeric, text, text, text, timestamptz, uuid) from public;
grant execute on function wallet.set_price(text, text, numeric, text, text, text, timestamptz, uuid)
to service_role;

comment on function wallet.set_price(text, text, numeric, text, text, text, timestamptz, uuid) is
'Adds a price to the price book: minor units of a currency, up to 8 decimals, per unit, for all or for one organization, for what begins from p_effective_from on (null: now; in the past only where there has been no price so far). Null with an organization: from then on it pays the general price again. What is in effect then already is not written again: duplicate true. Takes the price book''s lock. Refuses organization_not_found; raises WL001, WL002, WL005, WL006.';
