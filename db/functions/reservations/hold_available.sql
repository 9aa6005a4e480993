create or replace function wallet.hold_available(
    p_wallet wallet.organizations,
    p_pence bigint,
    p_allow_partial boolean
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_available constant numeric := p_wallet.wallet_balance_pence::numeric - p_wallet.reserved_pence - p_wallet.owed_pence;
    v_held bigint := p_pence;
begin
    if p_pence > v_available then
        -- Whoever is refused wants to spend: the best reason for a recharge.
        if p_wallet.wallet_auto_recharge then
            perform wallet.request_recharge(p_wallet.id);
        end if;
        if not p_allow_partial or v_available <= 0 then
            return wallet.refuse_overdraft(p_wallet.id, p_pence, 'none', p_wallet.wallet_balance_pence);
        end if;
        v_held := v_available;
    end if;

    perform wallet.hold_credits(p_wallet.id, v_held);
    return jsonb_build_object('success', true, 'held_pence', v_held);
end;
$$;

revoke all on function wallet.hold_available(wallet.organizations, bigint, boolean) from public;

comment on function wallet.hold_available(wallet.organizations, bigint, boolean) is
'Internal: holds an amount out of what is available without debt, or as much as there is where that will do. Answers held_pence, or refuses insufficient_balance; then, and where it is only a part, asks for a recharge, which a balance below its threshold gets. The caller holds the organization''s lock.';
