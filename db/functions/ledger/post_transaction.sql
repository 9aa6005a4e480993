-- The one writer of the ledger and of balances: everything else decides and calls it.
-- Locks the organization's row and holds it to the end of the caller's transaction, so that the
-- entries of a wallet have one order, and the key is looked for only when nobody else can be writing it.
-- Callers name their own parameters when one is wrong; what they let through meets the constraints.
create or replace function wallet.post_transaction(
    p_org_id uuid,
    p_type text,
    p_direction text,
    p_amount_pence bigint,
    p_idempotency_key text,
    p_overdraft text,
    p_created_by text,
    p_description text default null,
    p_call_id text default null,
    p_vapi_call_id text default null,
    p_provider_cost_pence bigint default null,
    p_markup_percent integer default null,
    p_cost_breakdown jsonb default null,
    p_stripe_payment_intent_id text default null,
    p_stripe_charge_id text default null
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet record;
    v_is_spending constant boolean := p_direction = 'debit' and p_type not in ('adjustment', 'topup_reversal');
    v_spendable numeric;
    v_after numeric;
    v_entry wallet.credit_transactions;
    v_billed_as text;
begin
    loop
        select
            wallet_balance_pence as balance,
            reserved_pence as reserved,
            owed_pence as owed,
            debt_limit_pence as debt_limit,
            wallet_auto_recharge as auto_recharge,
            wallet_low_balance_pence as low_balance,
            frozen,
            has_calls,
            last_entry_number,
            last_entry_at,
            last_entry_hash
        into v_wallet
        from wallet.organizations
        where id = p_org_id
        for no key update;

        if not found then
            return wallet.refuse_unknown_organization(p_org_id);
        end if;

        select * into v_entry
        from wallet.credit_transactions
        where org_id = p_org_id and idempotency_key = p_idempotency_key;

        if found then
            return wallet.answer_replay(v_entry, p_type, p_direction, p_amount_pence);
        elsif v_wallet.has_calls and p_type = 'call_deduction' and p_overdraft = 'debt_limit' then
            v_billed_as := wallet.find_billed_call(p_org_id, p_call_id, p_vapi_call_id);
            if v_billed_as is not null then
                return wallet.answer_billed_call(p_org_id, v_billed_as, p_amount_pence);
            end if;
        end if;

        exit when p_direction = 'credit';

        v_spendable := v_wallet.balance::numeric - v_wallet.reserved;
        case p_overdraft
            when 'none' then
                v_spendable := v_spendable - v_wallet.owed;
            when 'debt_limit' then
                v_spendable := v_spendable - v_wallet.owed + v_wallet.debt_limit;
            when 'owed' then
                v_spendable := v_spendable + v_wallet.debt_limit;
            when 'unlimited' then
                v_spendable := null;
        end case;

        -- What calls owe comes before any other spending, and a lapsed reservation stops nobody.
        exit when p_overdraft in ('owed', 'unlimited');
        exit when v_wallet.owed = 0 and (v_wallet.reserved = 0 or p_amount_pence <= v_spendable);
        exit when not wallet.settle_wallet(p_org_id);
    end loop;

    if p_direction = 'debit' then
        if v_wallet.frozen and v_is_spending and wallet.find_freeze(p_org_id, 'spending') is not null then
            return wallet.refuse_frozen(p_org_id, 'spending');
        elsif p_amount_pence > v_spendable then
            -- Whoever is refused wants to spend: the best reason for a recharge.
            if v_wallet.auto_recharge and v_is_spending then
                perform wallet.request_recharge(p_org_id);
            end if;
            return wallet.refuse_overdraft(p_org_id, p_amount_pence, p_overdraft, v_wallet.balance);
        end if;
    end if;

    v_after := v_wallet.balance::numeric + case p_direction when 'credit' then p_amount_pence else -p_amount_pence end;
    if abs(v_after) > 9223372036854775807 then
        perform wallet.raise_misuse(
            'WL009', 'amount', 'must leave the balance within the range of bigint', p_amount_pence::text
        );
    end if;

    v_entry.org_id := p_org_id;
    v_entry.entry_number := v_wallet.last_entry_number + 1;
    v_entry.id := gen_random_uuid();
    v_entry.created_at := greatest(clock_timestamp(), v_wallet.last_entry_at);
    v_entry.type := p_type;
    v_entry.direction := p_direction;
    v_entry.amount_pence := p_amount_pence;
    v_entry.balance_before_pence := v_wallet.balance;
    v_entry.balance_after_pence := v_after;
    v_entry.idempotency_key := p_idempotency_key;
    v_entry.call_id := p_call_id;
    v_entry.vapi_call_id := p_vapi_call_id;
    if p_provider_cost_pence is not null then
        v_entry.provider_cost_pence := p_provider_cost_pence;
        v_entry.client_charged_pence := p_amount_pence;
        v_entry.gross_profit_pence := p_amount_pence - p_provider_cost_pence;
        v_entry.markup_percent := p_markup_percent;
    end if;
    v_entry.cost_breakdown := p_cost_breakdown;
    v_entry.stripe_payment_intent_id := p_stripe_payment_intent_id;
    v_entry.stripe_charge_id := p_stripe_charge_id;
    v_entry.description := p_description;
    v_entry.created_by := p_created_by;
    v_entry.entry_hash := wallet.hash_entry(v_wallet.last_entry_hash, v_entry);

    insert into wallet.credit_transactions select v_entry.*;

    update wallet.organizations
    set
        wallet_balance_pence = v_entry.balance_after_pence,
        total_topped_up_pence = total_topped_up_pence + case when p_type = 'topup' then p_amount_pence else 0 end,
        total_spent_pence = total_spent_pence
        + case when v_is_spending then p_amount_pence else 0 end,
        total_profit_pence = total_profit_pence + coalesce(v_entry.gross_profit_pence, 0),
        total_calls = total_calls
        + case when p_type = 'call_deduction' and p_idempotency_key = 'call:' || p_call_id then 1 else 0 end,
        last_entry_number = v_entry.entry_number,
        last_entry_at = v_entry.created_at,
        last_entry_hash = v_entry.entry_hash,
        updated_at = v_entry.created_at
    where id = p_org_id;

    if p_direction = 'debit' and v_after < v_wallet.low_balance then
        perform wallet.note_low_balance(v_entry, v_wallet.auto_recharge and v_is_spending, v_wallet.low_balance);
    elsif p_direction = 'credit' and v_wallet.owed > 0 then
        perform wallet.settle_wallet(p_org_id);
    end if;

    return wallet.answer_entry(v_entry, false, v_wallet.debt_limit, v_wallet.auto_recharge, v_wallet.low_balance);
end;
$$;

revoke all on function wallet.post_transaction(
    uuid, text, text, bigint, text, text, text, text, text, text, bigint, integer, jsonb, text, text
) from public;

comment on function wallet.post_transaction(
    uuid, text, text, bigint, text, text, text, text, text, text, bigint, integer, jsonb, text, text
) is
'Internal: writes one ledger entry and the balance. p_overdraft says how far a debit may go: none (to 0), debt_limit, owed (the debt limit, for what calls owe), unlimited (clawbacks). Open reservations count as spent, and so does what calls owe, which is charged before any other spending and after any credit. A balance below its threshold is told to the outbox and asks for a recharge. Answers the entry or a refusal; raises WL009.';
