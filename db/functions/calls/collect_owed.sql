create or replace function wallet.collect_owed(p_org_id uuid)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet record;
    v_room numeric;
    v_call wallet.calls;
    v_amount bigint;
    v_answer jsonb;
    v_collected bigint := 0;
begin
    select
        wallet_balance_pence::numeric - reserved_pence + debt_limit_pence as room,
        owed_pence,
        frozen
    into v_wallet
    from wallet.organizations
    where id = p_org_id;

    -- Without room, not one of many calls that owe may be read: this runs with each charge.
    if
        v_wallet.owed_pence = 0
        or v_wallet.room <= 0
        or (v_wallet.frozen and wallet.find_freeze(p_org_id, 'spending') is not null)
    then
        return 0;
    end if;
    v_room := v_wallet.room;

    for v_call in
        select *
        from wallet.calls
        where org_id = p_org_id and owed_pence > 0
        order by created_at, call_id
    loop
        exit when v_room <= 0;
        v_amount := least(v_call.owed_pence, v_room);

        v_answer := wallet.post_transaction(
            p_org_id => p_org_id,
            p_type => 'call_deduction',
            p_direction => 'debit',
            p_amount_pence => v_amount,
            p_idempotency_key => case v_call.charged_pence
                when 0 then 'call:' || v_call.call_id
                else format('call_owed:%s:%s', v_call.call_id, v_call.collections + 1)
            end,
            p_overdraft => 'owed',
            p_created_by => 'system',
            p_description => 'Owed for call ' || v_call.call_id,
            p_call_id => v_call.call_id,
            p_vapi_call_id => v_call.vapi_call_id,
            p_provider_cost_pence => case v_call.charged_pence
                when 0 then v_call.provider_cost_pence
                -- The first entry has told all of it, if it was known by then.
                else (
                    select case when provider_cost_pence is not null then 0 end
                    from wallet.credit_transactions
                    where org_id = p_org_id and idempotency_key = 'call:' || v_call.call_id
                )
            end,
            p_cost_breakdown => v_call.cost_breakdown
        );
        -- A key that somebody else has used: the call goes on owing, and a person finds it in calls.
        continue when not (v_answer ->> 'success')::boolean;

        update wallet.calls
        set
            charged_pence = charged_pence + v_amount,
            owed_pence = owed_pence - v_amount,
            collections = collections + 1,
            transaction_id = coalesce(transaction_id, (v_answer ->> 'transaction_id')::uuid),
            updated_at = clock_timestamp()
        where org_id = p_org_id and call_id = v_call.call_id;

        update wallet.organizations
        set owed_pence = owed_pence - v_amount
        where id = p_org_id;

        v_room := v_room - v_amount;
        v_collected := v_collected + v_amount;
    end loop;

    return v_collected;
end;
$$;

revoke all on function wallet.collect_owed(uuid) from public;

comment on function wallet.collect_owed(uuid) is
'Internal: charges what calls still owe, the oldest first, as far as the debt limit allows; answers how much, in minor units. The first entry of a call has the key call:<call_id>, later ones call_owed:<call_id>:<n>. The caller holds the organization''s lock.';
