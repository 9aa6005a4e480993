create or replace function wallet.set_topup_limits(
    p_currency text,
    p_min_pence bigint,
    p_max_pence bigint,
    p_actor text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_currency('p_currency', p_currency);
    perform wallet.require_amount('p_min_pence', p_min_pence);
    perform wallet.require_amount('p_max_pence', p_max_pence);
    perform wallet.require_text('p_actor', p_actor);
    if p_max_pence < p_min_pence then
        perform wallet.raise_misuse('WL006', 'p_max_pence', 'must not be below p_min_pence', p_max_pence::text);
    end if;

    insert into wallet.topup_limits as l (currency, min_pence, max_pence, updated_by)
    values (p_currency, p_min_pence, p_max_pence, p_actor)
    on conflict (currency) do update
    set
        min_pence = excluded.min_pence,
        max_pence = excluded.max_pence,
        updated_by = excluded.updated_by,
        updated_at = clock_timestamp();

    return jsonb_build_object(
        'success', true, 'currency', p_currency, 'min_pence', p_min_pence, 'max_pence', p_max_pence
    );
end;
$$;

revoke all on function wallet.set_topup_limits(text, bigint, bigint, text) from public;
grant execute on function wallet.set_topup_limits(text, bigint, bigint, text) to service_role;

comment on function wallet.set_topup_limits(text, bigint, bigint, text) is
'Sets the smallest and the largest top-up in a currency, in its minor units; plans have their own prices. Raises WL001, WL002, WL005, WL006.';
