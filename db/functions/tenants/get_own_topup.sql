-- A payment counts once the ledger has it: no status, and no page that a customer came back from, stands in.
create or replace function wallet.get_own_topup(p_topup_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_id constant uuid := wallet.own_org_id();
    v_organization wallet.organizations;
    v_topup wallet.topups;
    v_transaction_id uuid;
begin
    perform wallet.require_value('p_topup_id', p_topup_id);

    select * into v_organization from wallet.organizations where id = v_org_id;
    if not found then
        return wallet.refuse_unknown_organization(v_org_id);
    end if;

    select * into v_topup from wallet.topups where org_id = v_org_id and id = p_topup_id;
    if not found then
        return wallet.refuse(
            'topup_not_found',
            format('This wallet has no top-up %s.', p_topup_id),
            jsonb_build_object('org_id', v_org_id, 'topup_id', p_topup_id)
        );
    end if;

    select id into v_transaction_id
    from wallet.credit_transactions
    where org_id = v_org_id and idempotency_key = v_topup.idempotency_key;

    return jsonb_build_object(
        'success', true,
        'org_id', v_org_id,
        'topup_id', v_topup.id,
        'kind', v_topup.kind,
        'status', v_topup.status,
        'under_way', (
            v_topup.status = 'pending'
            and v_topup.stripe_payment_intent_id is not null
            and v_topup.checkout_url is null
        ),
        'credited', v_transaction_id is not null,
        'transaction_id', v_transaction_id,
        'amount_pence', v_topup.amount_pence,
        'amount_formatted', wallet.format_money(v_topup.amount_pence, v_topup.currency),
        'bonus_pence', v_topup.bonus_pence,
        'price_pence', v_topup.price_pence,
        'currency', v_topup.currency,
        'balance_pence', v_organization.wallet_balance_pence,
        'balance_formatted', wallet.format_money(v_organization.wallet_balance_pence, v_organization.currency),
        'checkout_url', case when wallet.is_topup_open(v_topup) then v_topup.checkout_url end,
        'created_at', v_topup.created_at,
        'updated_at', v_topup.updated_at
    );
end;
$$;

revoke all on function wallet.get_own_topup(uuid) from public;
grant execute on function wallet.get_own_topup(uuid) to authenticated;

comment on function wallet.get_own_topup(uuid) is
'A top-up of the organization that the token names: how far it came, whether a bank is at it (under_way), whether the ledger has it (credited), and its page as long as it can be paid there. Amounts in minor units. Refuses organization_not_found, topup_not_found; raises WL001.';
