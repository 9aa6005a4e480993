create or replace function wallet.set_topup_plan(
    p_plan text,
    p_name text,
    p_currency text,
    p_price_pence bigint,
    p_credit_pence bigint,
    p_actor text,
    p_bonus_pence bigint default 0,
    p_active boolean default true
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_text('p_plan', p_plan);
    perform wallet.require_text('p_name', p_name);
    perform wallet.require_text('p_actor', p_actor);
    perform wallet.require_amount('p_price_pence', p_price_pence);
    perform wallet.require_amount('p_credit_pence', p_credit_pence);
    perform wallet.require_value('p_bonus_pence', p_bonus_pence);
    perform wallet.require_value('p_active', p_active);
    if p_bonus_pence < 0 then
        perform wallet.raise_misuse('WL002', 'p_bonus_pence', 'must be 0 or more', p_bonus_pence::text);
    end if;
    perform wallet.require_currency('p_currency', p_currency);

    insert into wallet.topup_plans as p (
        plan, name, currency, price_pence, credit_pence, bonus_pence, active, updated_by
    )
    values (p_plan, p_name, p_currency, p_price_pence, p_credit_pence, p_bonus_pence, p_active, p_actor)
    on conflict (plan) do update
    set
        name = excluded.name,
        currency = excluded.currency,
        price_pence = excluded.price_pence,
        credit_pence = excluded.credit_pence,
        bonus_pence = excluded.bonus_pence,
        active = excluded.active,
        updated_by = excluded.updated_by,
        updated_at = clock_timestamp();

    return jsonb_build_object(
        'success', true,
        'plan', p_plan,
        'currency', p_currency,
        'price_pence', p_price_pence,
        'credit_pence', p_credit_pence,
        'bonus_pence', p_bonus_pence,
        'active', p_active
    );
end;
$$;

revoke all on function wallet.set_topup_plan(text, text, text, bigint, bigint, text, bigint, boolean) from public;
grant execute on function wallet.set_topup_plan(text, text, text, bigint, bigint, text, bigint, boolean)
to service_role;

comment on function wallet.set_topup_plan(text, text, text, bigint, bigint, text, bigint, boolean) is
'Offers a top-up by name: what it costs without tax, what it credits, and what it adds as a bonus entry, in minor units. Replaces the plan of that name for top-ups that start from now on. Raises WL001, WL002, WL005, WL006.';
