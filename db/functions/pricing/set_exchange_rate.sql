create or replace function wallet.set_exchange_rate(
    p_from_currency text,
    p_to_currency text,
    p_rate numeric,
    p_actor text,
    p_effective_from timestamptz default null,
    p_org_id uuid default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from constant timestamptz := wallet.read_effective_from(p_effective_from);
    -- The first rate there is may be dated back: nothing can have been priced by another.
    v_first_from constant timestamptz := case when v_from < now() then p_effective_from end;
    v_rate wallet.exchange_rates;
    v_duplicate boolean;
begin
    perform wallet.require_currency('p_from_currency', p_from_currency);
    perform wallet.require_currency('p_to_currency', p_to_currency);
    perform wallet.require_text('p_actor', p_actor);
    if p_from_currency = p_to_currency then
        perform wallet.raise_misuse('WL006', 'p_to_currency', 'must differ from p_from_currency', p_to_currency);
    elsif p_rate is null and p_org_id is null then
        perform wallet.raise_misuse('WL001', 'p_rate', 'is required');
    elsif p_rate <= 0 or p_rate >= 1e10 or p_rate <> round(p_rate, 10) then
        perform wallet.raise_misuse(
            'WL002', 'p_rate', 'must be above 0 and below 10^10, with at most 10 decimals', p_rate::text
        );
    end if;

    perform pg_advisory_xact_lock(hashtext('wallet price book'), 0);
    if p_org_id is not null and not exists (select from wallet.organizations where id = p_org_id) then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_rate
    from wallet.exchange_rates
    where
        from_currency = p_from_currency
        and to_currency = p_to_currency
        and org_id is not distinct from p_org_id
        and effective_from <= v_from
    order by effective_from desc, id desc
    limit 1;

    v_duplicate := v_rate.rate is not distinct from p_rate;
    if not v_duplicate then
        if
            v_from < now()
            and exists (
                select from wallet.exchange_rates
                where
                    from_currency = p_from_currency
                    and to_currency = p_to_currency
                    and (org_id is null or org_id = p_org_id)
                    and effective_from <= now()
            )
        then
            perform wallet.raise_misuse(
                'WL006', 'p_effective_from', 'must not lie in the past, where there was a rate', p_effective_from::text
            );
        end if;

        insert into wallet.exchange_rates (org_id, from_currency, to_currency, rate, effective_from, created_by)
        values (p_org_id, p_from_currency, p_to_currency, p_rate, least(v_from, v_first_from), p_actor)
        returning * into v_rate;
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_duplicate,
        'exchange_rate_id', v_rate.id,
        'org_id', p_org_id,
        'from_currency', p_from_currency,
        'to_currency', p_to_currency,
        'rate', p_rate,
        'effective_from', coalesce(v_rate.effective_from, v_from)
    );
end;
$$;

revoke all on function wallet.set_exchange_rate(text, text, numeric, text, timestamptz, uuid) from public;
grant execute on function wallet.set_exchange_rate(text, text, numeric, text, timestamptz, uuid) to service_role;

comment on function wallet.set_exchange_rate(text, text, numeric, text, timestamptz, uuid) is
'Adds what a whole unit of one currency costs in another (usd to gbp 0.79: pounds for a dollar), up to 10 decimals, in this direction only, for all or for one organization, from p_effective_from on (null: now; in the past only where there has been no rate so far). Null with an organization: from then on the general rate applies to it again. What is in effect then already is not written again: duplicate true. Takes the price book''s lock. Refuses organization_not_found; raises WL001, WL002, WL005, WL006.';
