create or replace function wallet.set_service(
    p_service text,
    p_measured_in text,
    p_entry_type text,
    p_uses_debt_limit boolean,
    p_actor text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before wallet.services;
    v_duplicate boolean;
begin
    perform wallet.require_text('p_service', p_service);
    perform wallet.require_text('p_measured_in', p_measured_in);
    perform wallet.check_entry_type(p_entry_type, 'debit');
    if p_entry_type in ('call_deduction', 'adjustment', 'topup_reversal') then
        perform wallet.raise_misuse('WL006', 'p_entry_type', 'must be the type of something bought', p_entry_type);
    end if;
    perform wallet.require_value('p_uses_debt_limit', p_uses_debt_limit);
    perform wallet.require_text('p_actor', p_actor);
    if not exists (select from wallet.price_units where measured_in = p_measured_in) then
        perform wallet.raise_misuse('WL006', 'p_measured_in', 'must be what a row of price_units measures', p_measured_in);
    end if;

    perform pg_advisory_xact_lock(hashtext('wallet price book'), 0);
    select * into v_before
    from wallet.services
    where service = p_service or priced_as = p_service;

    if v_before.charged_by <> 'charge_usage' then
        return wallet.refuse(
            'service_built_in',
            format('%s is charged by %s and can''t be changed.', v_before.service, v_before.charged_by),
            jsonb_build_object('service', v_before.service, 'charged_by', v_before.charged_by)
        );
    elsif v_before.measured_in <> p_measured_in
    and exists (select from wallet.prices where service = v_before.priced_as) then
        return wallet.refuse(
            'service_has_prices',
            format('The prices of %s are for what is measured in: %s.', p_service, v_before.measured_in),
            jsonb_build_object('service', p_service, 'measured_in', v_before.measured_in)
        );
    end if;

    v_duplicate := coalesce(
        (v_before.measured_in, v_before.entry_type, v_before.uses_debt_limit)
        = (p_measured_in, p_entry_type, p_uses_debt_limit),
        false
    );
    if not v_duplicate then
        insert into wallet.services (
            service, priced_as, measured_in, entry_type, uses_debt_limit, charged_by, updated_by
        )
        values (p_service, p_service, p_measured_in, p_entry_type, p_uses_debt_limit, 'charge_usage', p_actor)
        on conflict (service) do update
        set
            measured_in = excluded.measured_in,
            entry_type = excluded.entry_type,
            uses_debt_limit = excluded.uses_debt_limit,
            updated_by = excluded.updated_by,
            updated_at = clock_timestamp();
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_duplicate,
        'service', p_service,
        'measured_in', p_measured_in,
        'entry_type', p_entry_type,
        'uses_debt_limit', p_uses_debt_limit
    );
end;
$$;

revoke all on function wallet.set_service(text, text, text, boolean, text) from public;
grant execute on function wallet.set_service(text, text, text, boolean, text) to service_role;

comment on function wallet.set_service(text, text, text, boolean, text) is
'Defines a service for charge_usage, or changes it: what it is measured in (as in price_units), the type of the entries that charge it, and whether it may be paid out of the debt limit. It costs what set_price says. Takes the price book''s lock. Refuses service_built_in, service_has_prices (measured otherwise); raises WL001, WL003 to WL006.';
