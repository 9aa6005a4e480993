-- One place for what a caller learns of an entry, whether it was written now or long ago.
create or replace function wallet.answer_entry(
    p_entry wallet.credit_transactions,
    p_duplicate boolean,
    p_debt_limit_pence bigint,
    p_auto_recharge boolean,
    p_low_balance_pence bigint
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_answer jsonb;
begin
    v_answer := jsonb_build_object(
        'success', true,
        'duplicate', p_duplicate,
        'transaction_id', p_entry.id,
        'entry_number', p_entry.entry_number,
        'amount_pence', p_entry.amount_pence,
        'balance_before', p_entry.balance_before_pence,
        'balance_after', p_entry.balance_after_pence,
        'client_charged_pence', p_entry.client_charged_pence,
        'provider_cost_pence', p_entry.provider_cost_pence,
        'gross_profit_pence', p_entry.gross_profit_pence,
        'debt_limit', p_debt_limit_pence,
        'remaining_debt_capacity', greatest(0, p_debt_limit_pence + least(0, p_entry.balance_after_pence)),
        'in_debt', p_entry.balance_after_pence < 0,
        'needs_recharge', p_auto_recharge and p_entry.balance_after_pence < p_low_balance_pence
    );
    if p_entry.client_charged_pence is null then
        v_answer := v_answer - array['client_charged_pence', 'provider_cost_pence', 'gross_profit_pence'];
    end if;
    return v_answer;
end;
$$;

revoke all on function wallet.answer_entry(wallet.credit_transactions, boolean, bigint, boolean, bigint)
from public;

comment on function wallet.answer_entry(wallet.credit_transactions, boolean, bigint, boolean, bigint) is
'Internal: the answer about one ledger entry: its id, number, amount and balances, the cost and profit of a call, and where it left the wallet against its limits.';
