drop function if exists wallet.refuse_overdraft(uuid, bigint, text);

-- The two ways of saying that the money isn't there: an asset may not be bought on credit, a spend
-- may, up to the debt limit.
create or replace function wallet.refuse_overdraft(
    p_org_id uuid,
    p_amount_pence bigint,
    p_overdraft text,
    p_balance_pence bigint
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_organization wallet.organizations;
    v_available numeric;
begin
    select * into strict v_organization
    from wallet.organizations
    where id = p_org_id;

    v_available := p_balance_pence::numeric - v_organization.reserved_pence - v_organization.owed_pence;

    if p_overdraft = 'none' then
        return wallet.refuse(
            'insufficient_balance',
            format(
                'This costs %s and %s is available.',
                wallet.format_money(p_amount_pence, v_organization.currency),
                wallet.format_money(v_available::bigint, v_organization.currency)
            ),
            jsonb_build_object(
                'balance_pence', p_balance_pence,
                'reserved_pence', v_organization.reserved_pence,
                'owed_pence', v_organization.owed_pence,
                'required_pence', p_amount_pence,
                'shortfall_pence', p_amount_pence - v_available
            )
        );
    end if;

    return wallet.refuse(
        'debt_limit_exceeded',
        format(
            'A deduction of %s from a balance of %s would pass the debt limit of %s.',
            wallet.format_money(p_amount_pence, v_organization.currency),
            wallet.format_money(p_balance_pence, v_organization.currency),
            wallet.format_money(v_organization.debt_limit_pence, v_organization.currency)
        ),
        jsonb_build_object(
            'current_balance', p_balance_pence,
            'reserved_pence', v_organization.reserved_pence,
            'owed_pence', v_organization.owed_pence,
            'debt_limit', v_organization.debt_limit_pence,
            'attempted_deduction', p_amount_pence,
            'new_balance_would_be', p_balance_pence - p_amount_pence::numeric,
            'amount_over_limit', p_amount_pence - v_available - v_organization.debt_limit_pence
        )
    );
end;
$$;

revoke all on function wallet.refuse_overdraft(uuid, bigint, text, bigint) from public;

comment on function wallet.refuse_overdraft(uuid, bigint, text, bigint) is
'Internal: the refusal insufficient_balance (p_overdraft none) or debt_limit_exceeded, with the numbers behind it. p_balance_pence is the balance that it was refused from.';
