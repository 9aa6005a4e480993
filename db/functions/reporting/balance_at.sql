create or replace function wallet.balance_at(p_org_id uuid, p_at timestamptz)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_currency text;
    v_entry_number bigint;
    v_balance bigint;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_at', p_at);

    select currency into v_currency from wallet.organizations where id = p_org_id;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    v_entry_number := wallet.last_entry_before(p_org_id, p_at + interval '1 microsecond');
    v_balance := wallet.balance_after_entry(p_org_id, v_entry_number);

    return jsonb_build_object(
        'success', true,
        'org_id', p_org_id,
        'at', p_at,
        'entry_number', v_entry_number,
        'balance_pence', v_balance,
        'balance_formatted', wallet.format_money(v_balance, v_currency)
    );
end;
$$;

revoke all on function wallet.balance_at(uuid, timestamptz) from public;
grant execute on function wallet.balance_at(uuid, timestamptz) to service_role, authenticated;

comment on function wallet.balance_at(uuid, timestamptz) is
'The balance at a moment, entries of that very microsecond included, and the number of the last of them. Refuses organization_not_found; raises WL001.';
