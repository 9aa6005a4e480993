drop function if exists wallet.announce_topup(wallet.topups, bigint);

create or replace function wallet.announce_topup(p_topup wallet.topups)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select wallet.emit_message(
        'topup_completed',
        p_topup.org_id,
        jsonb_build_object(
            'message', format(
                '%s of %s is paid, the balance is %s.',
                case p_topup.kind when 'wallet_auto_recharge' then 'An automatic recharge' else 'A top-up' end,
                wallet.format_money(p_topup.amount_pence, p_topup.currency),
                wallet.format_money(wallet_balance_pence, p_topup.currency)
            ),
            'topup_id', p_topup.id,
            'kind', p_topup.kind,
            'amount_pence', p_topup.amount_pence,
            'bonus_pence', p_topup.bonus_pence,
            'balance_pence', wallet_balance_pence
        )
    )
    from wallet.organizations
    where id = p_topup.org_id
$$;

revoke all on function wallet.announce_topup(wallet.topups) from public;

comment on function wallet.announce_topup(wallet.topups) is
'Internal: tells the outbox of a top-up that was credited.';
