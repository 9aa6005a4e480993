create or replace function wallet.create_wallet(
    p_org_id uuid,
    p_name text default null,
    p_email text default null,
    p_currency text default 'gbp',
    p_debt_limit_pence bigint default 500
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_created boolean;
    v_organization wallet.organizations;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_currency('p_currency', p_currency);
    perform wallet.require_value('p_debt_limit_pence', p_debt_limit_pence);
    if p_debt_limit_pence < 0 then
        perform wallet.raise_misuse('WL002', 'p_debt_limit_pence', 'must be 0 or more', p_debt_limit_pence::text);
    end if;

    insert into wallet.organizations (id, name, email, currency, debt_limit_pence)
    values (p_org_id, p_name, p_email, p_currency, p_debt_limit_pence)
    on conflict (id) do nothing;
    v_created := found;

    select * into strict v_organization from wallet.organizations where id = p_org_id;

    return jsonb_build_object(
        'success', true,
        'duplicate', not v_created,
        'org_id', v_organization.id,
        'balance_pence', v_organization.wallet_balance_pence,
        'currency', v_organization.currency,
        'debt_limit_pence', v_organization.debt_limit_pence
    );
end;
$$;

revoke all on function wallet.create_wallet(uuid, text, text, text, bigint) from public;
grant execute on function wallet.create_wallet(uuid, text, text, text, bigint) to service_role;

comment on function wallet.create_wallet(uuid, text, text, text, bigint) is
'Opens an empty wallet; one that exists is returned unchanged with duplicate true. Debt limit in minor units, 0 or more. Raises WL001, WL002, WL006.';
