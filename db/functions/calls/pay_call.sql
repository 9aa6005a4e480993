-- What was held for this call is its own. What it costs beyond that comes after what older calls owe.
create or replace function wallet.pay_call(
    p_org_id uuid,
    p_call_id text,
    p_vapi_call_id text,
    p_price jsonb,
    p_held_pence bigint,
    p_provider_cost_pence bigint,
    p_description text
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_cost constant bigint := p_price ->> 'amount_pence';
    v_wallet wallet.organizations;
    v_room numeric;
    v_charged bigint := 0;
    v_answer jsonb := '{}';
begin
    select * into strict v_wallet
    from wallet.organizations
    where id = p_org_id;

    v_room := v_wallet.wallet_balance_pence::numeric - v_wallet.reserved_pence + v_wallet.debt_limit_pence;
    if not (v_wallet.frozen and wallet.find_freeze(p_org_id, 'spending') is not null) then
        v_charged := greatest(0, least(v_cost, greatest(v_room - v_wallet.owed_pence, least(p_held_pence, v_room))));
    end if;

    if v_charged > 0 then
        v_answer := wallet.post_transaction(
            p_org_id => p_org_id,
            p_type => 'call_deduction',
            p_direction => 'debit',
            p_amount_pence => v_charged,
            p_idempotency_key => 'call:' || p_call_id,
            p_overdraft => 'owed',
            p_created_by => 'system',
            p_description => coalesce(p_description, 'Call ' || p_call_id),
            p_call_id => p_call_id,
            p_vapi_call_id => p_vapi_call_id,
            p_provider_cost_pence => p_provider_cost_pence,
            p_cost_breakdown => p_price -> 'breakdown'
        );
    end if;

    if v_charged < v_cost then
        update wallet.organizations
        set owed_pence = owed_pence + v_cost - v_charged
        where id = p_org_id;

        if v_wallet.wallet_auto_recharge then
            perform wallet.request_recharge(p_org_id);
        end if;
    end if;

    return jsonb_build_object(
        'charged_pence', v_charged, 'owed_pence', v_cost - v_charged, 'transaction_id', v_answer -> 'transaction_id'
    );
end;
$$;

revoke all on function wallet.pay_call(uuid, text, text, jsonb, bigint, bigint, text) from public;

comment on function wallet.pay_call(uuid, text, text, jsonb, bigint, bigint, text) is
'Internal: charges the price of a call as far as the debt limit and the reservations of others allow, and adds the rest to what the wallet owes. The caller holds the organization''s lock, has ended the hold of p_held_pence, and writes the call.';
