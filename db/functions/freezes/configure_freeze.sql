create or replace function wallet.configure_freeze(
    p_cause text,
    p_refuses_checkouts boolean,
    p_refuses_spending boolean,
    p_actor text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_text('p_cause', p_cause);
    perform wallet.require_value('p_refuses_checkouts', p_refuses_checkouts);
    perform wallet.require_value('p_refuses_spending', p_refuses_spending);
    perform wallet.require_text('p_actor', p_actor);

    update wallet.freeze_rules
    set
        refuses_checkouts = p_refuses_checkouts,
        refuses_spending = p_refuses_spending,
        updated_by = p_actor,
        updated_at = clock_timestamp()
    where cause = p_cause;
    if not found then
        perform wallet.raise_misuse('WL006', 'p_cause', 'must be dispute, early_fraud_warning or operator', p_cause);
    end if;

    return jsonb_build_object(
        'success', true,
        'cause', p_cause,
        'refuses_checkouts', p_refuses_checkouts,
        'refuses_spending', p_refuses_spending
    );
end;
$$;

revoke all on function wallet.configure_freeze(text, boolean, boolean, text) from public;
grant execute on function wallet.configure_freeze(text, boolean, boolean, text) to service_role;

comment on function wallet.configure_freeze(text, boolean, boolean, text) is
'Says what a wallet that is frozen for this cause (dispute, early_fraud_warning, operator) refuses beside automatic recharges, from now on and for the wallets that are frozen already. Raises WL001, WL005, WL006.';
