create or replace function wallet.announce_recharge_stop(p_org_id uuid, p_why text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select wallet.emit_message(
        'auto_recharge_disabled',
        id,
        jsonb_build_object(
            'message', format('Automatic recharge stops until there is a new card: %s.', p_why)
        )
    )
    from wallet.organizations
    where id = p_org_id and wallet_auto_recharge
$$;

revoke all on function wallet.announce_recharge_stop(uuid, text) from public;

comment on function wallet.announce_recharge_stop(uuid, text) is
'Internal: tells the outbox that a wallet which recharges itself no longer can.';
