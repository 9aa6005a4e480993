create or replace function wallet.offer_topup(p_currency text, p_amount_pence bigint, p_plan text)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_plan wallet.topup_plans;
    v_limits wallet.topup_limits;
begin
    if p_plan is not null then
        select * into v_plan
        from wallet.topup_plans
        where plan = p_plan and currency = p_currency and active;
        if not found then
            return wallet.refuse(
                'plan_not_found',
                format('There is no plan %s in %s.', p_plan, p_currency),
                jsonb_build_object('plan', p_plan, 'currency', p_currency)
            );
        end if;
        return to_jsonb(v_plan);
    end if;

    select * into v_limits from wallet.topup_limits where currency = p_currency;
    if not found then
        return wallet.refuse(
            'currency_not_offered',
            format('Top-ups in %s are not offered.', p_currency),
            jsonb_build_object('currency', p_currency)
        );
    elsif p_amount_pence not between v_limits.min_pence and v_limits.max_pence then
        return wallet.refuse(
            'amount_out_of_range',
            format(
                'A top-up is from %s to %s.',
                wallet.format_money(v_limits.min_pence, p_currency),
                wallet.format_money(v_limits.max_pence, p_currency)
            ),
            jsonb_build_object(
                'amount_pence', p_amount_pence,
                'min_pence', v_limits.min_pence,
                'max_pence', v_limits.max_pence
            )
        );
    end if;
    return jsonb_build_object(
        'name', 'Wallet top-up', 'price_pence', p_amount_pence, 'credit_pence', p_amount_pence, 'bonus_pence', 0
    );
end;
$$;

revoke all on function wallet.offer_topup(text, bigint, text) from public;

comment on function wallet.offer_topup(text, bigint, text) is
'Internal: name, price, credit and bonus of a top-up of this amount or plan, or the refusal plan_not_found, currency_not_offered or amount_out_of_range.';
