create or replace function wallet.note_low_balance(
    p_entry wallet.credit_transactions,
    p_recharge boolean,
    p_low_balance_pence bigint
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_currency text;
begin
    if p_recharge then
        perform wallet.request_recharge(p_entry.org_id);
    end if;

    if p_entry.balance_before_pence >= p_low_balance_pence then
        select currency into strict v_currency from wallet.organizations where id = p_entry.org_id;

        perform wallet.emit_message(
            'low_balance',
            p_entry.org_id,
            jsonb_build_object(
                'message', format(
                    'The balance is %s, below %s.',
                    wallet.format_money(p_entry.balance_after_pence, v_currency),
                    wallet.format_money(p_low_balance_pence, v_currency)
                ),
                'balance_pence', p_entry.balance_after_pence,
                'low_balance_pence', p_low_balance_pence
            )
        );
    end if;
end;
$$;

revoke all on function wallet.note_low_balance(wallet.credit_transactions, boolean, bigint) from public;

comment on function wallet.note_low_balance(wallet.credit_transactions, boolean, bigint) is
'Internal: a debit has left the balance below its threshold. Told to the outbox once, when it falls below; asks for a recharge each time, if it was spending.';
