drop function if exists wallet.set_topup_limits(text, bigint, bigint, text);

create or replace function wallet.set_topup_limits(
    p_currency text,
    p_min_pence bigint,
    p_max_pence bigint,
    p_actor text,
    p_presets_pence bigint[] default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_limits wallet.topup_limits;
begin
    perform wallet.require_currency('p_currency', p_currency);
    perform wallet.require_amount('p_min_pence', p_min_pence);
    perform wallet.require_amount('p_max_pence', p_max_pence);
    perform wallet.require_text('p_actor', p_actor);
    if p_max_pence < p_min_pence then
        perform wallet.raise_misuse('WL006', 'p_max_pence', 'must not be below p_min_pence', p_max_pence::text);
    elsif
        array_ndims(p_presets_pence) > 1
        or cardinality(p_presets_pence) > 8
        or array_position(p_presets_pence, null) is not null
        or not p_min_pence <= all(p_presets_pence)
        or not p_max_pence >= all(p_presets_pence)
    then
        perform wallet.raise_misuse(
            'WL006', 'p_presets_pence', 'must be at most 8 amounts from p_min_pence to p_max_pence', p_presets_pence::text
        );
    end if;

    insert into wallet.topup_limits as l (currency, min_pence, max_pence, presets_pence, updated_by)
    values (
        p_currency, p_min_pence, p_max_pence, coalesce(p_presets_pence, '{1000,2500,5000,10000}'), p_actor
    )
    on conflict (currency) do update
    set
        min_pence = excluded.min_pence,
        max_pence = excluded.max_pence,
        presets_pence = coalesce(p_presets_pence, l.presets_pence),
        updated_by = excluded.updated_by,
        updated_at = clock_timestamp()
    returning * into v_limits;

    return jsonb_build_object(
        'success', true,
        'currency', p_currency,
        'min_pence', p_min_pence,
        'max_pence', p_max_pence,
        'presets_pence', v_limits.presets_pence
    );
end;
$$;

revoke all on function wallet.set_topup_limits(text, bigint, bigint, text, bigint[]) from public;
grant execute on function wallet.set_topup_limits(text, bigint, bigint, text, bigint[]) to service_role;

comment on function wallet.set_topup_limits(text, bigint, bigint, text, bigint[]) is
'Sets the smallest and the largest top-up in a currency, and, where given, the at most 8 amounts that a customer is offered to choose from, in its minor units; plans have their own prices. Raises WL001, WL002, WL005, WL006.';
