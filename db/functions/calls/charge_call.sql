-- The one way in which a call is billed by its duration, whoever tells of it. The call has taken
-- place: what the wallet can't pay is owed, never refused.
create or replace function wallet.charge_call(
    p_org_id uuid,
    p_call_id text,
    p_report wallet.call_report,
    p_source text,
    p_provider_cost_pence bigint default null,
    p_description text default null
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet wallet.organizations := wallet.lock_wallet(p_org_id);
    v_call_id text := p_call_id;
    v_reservation wallet.credit_reservations;
    v_vapi_call_id text;
    v_held bigint;
    v_call wallet.calls;
    v_price jsonb;
    v_entry wallet.credit_transactions;
    v_payment jsonb;
    v_began_at timestamptz;
    v_source text := p_source;
    v_key text;
begin
    if v_wallet.id is null then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    if p_source = 'webhook' then
        v_call_id := coalesce(
            wallet.find_charged_calls(array[p_org_id], array[p_report.vapi_call_id], p_report.placed_at)
            ->> p_report.vapi_call_id,
            p_call_id
        );
    end if;

    select * into v_reservation
    from wallet.credit_reservations
    where org_id = p_org_id and call_id = v_call_id and status in ('open', 'expired');
    v_vapi_call_id := coalesce(p_report.vapi_call_id, v_reservation.vapi_call_id);
    v_held := case v_reservation.status when 'open' then v_reservation.reserved_pence else 0 end;

    select * into v_call
    from wallet.calls
    where org_id = p_org_id and (call_id = v_call_id or vapi_call_id = v_vapi_call_id)
    order by call_id <> v_call_id
    limit 1;
    if found then
        if v_held > 0 then
            -- One call that was given two ids: it is billed under the other.
            perform wallet.release_reservation(v_call_id, p_org_id);
        end if;
        if p_source = 'reconciliation' or (p_source = 'webhook' and v_call.reported_at is null) then
            v_call := wallet.note_call_report(v_call, p_report, p_source, p_provider_cost_pence);
        end if;
        return wallet.answer_call(v_call, p_duplicate => true);
    end if;

    -- With the expression in the condition, a plan made for few entries would pass over the index of the keys.
    v_key := 'call:' || v_call_id;
    select * into v_entry
    from wallet.credit_transactions
    where org_id = p_org_id and idempotency_key = v_key;

    v_began_at := coalesce(v_reservation.created_at, p_report.started_at, p_report.placed_at, now());
    if v_entry.type = 'call_deduction' then
        -- deduct_call_credits was first: what it charged stands, and we had the call.
        v_source := 'backend';
        v_price := jsonb_build_object(
            'breakdown', coalesce(
                v_entry.cost_breakdown,
                jsonb_build_object('charged_by', 'deduct_call_credits', 'amount_pence', v_entry.amount_pence)
            )
        );
    else
        v_price := wallet.price_usage(p_org_id, 'call', p_report.duration_seconds, v_began_at);
        if not (v_price ->> 'success')::boolean then
            return v_price;
        elsif v_entry.id is not null then
            return wallet.answer_replay(v_entry, 'call_deduction', 'debit', (v_price ->> 'amount_pence')::bigint);
        end if;
    end if;

    if v_held > 0 then
        perform wallet.hold_credits(p_org_id, -v_held);
    end if;

    if v_entry.id is not null then
        v_payment := jsonb_build_object(
            'charged_pence', v_entry.amount_pence, 'owed_pence', 0, 'transaction_id', v_entry.id
        );
    else
        v_payment := wallet.pay_call(
            p_org_id, v_call_id, v_vapi_call_id, v_price, v_held, p_provider_cost_pence, p_description
        );
    end if;

    insert into wallet.calls (
        org_id, call_id, vapi_call_id, source, reconciled, direction, assistant_id, phone_number_id, ended_reason,
        placed_at, started_at, ended_at, duration_seconds, cost_pence, charged_pence, owed_pence, cost_breakdown,
        provider_cost_pence, transaction_id, reported_at
    )
    values (
        p_org_id,
        v_call_id,
        v_vapi_call_id,
        v_source,
        v_source = 'reconciliation',
        p_report.direction,
        p_report.assistant_id,
        p_report.phone_number_id,
        p_report.ended_reason,
        coalesce(p_report.placed_at, v_began_at),
        p_report.started_at,
        p_report.ended_at,
        p_report.duration_seconds,
        (v_payment ->> 'charged_pence')::bigint + (v_payment ->> 'owed_pence')::bigint,
        (v_payment ->> 'charged_pence')::bigint,
        (v_payment ->> 'owed_pence')::bigint,
        v_price -> 'breakdown',
        coalesce(p_provider_cost_pence, v_entry.provider_cost_pence),
        (v_payment ->> 'transaction_id')::uuid,
        case p_source when 'webhook' then clock_timestamp() end
    )
    returning * into v_call;

    update wallet.organizations
    set has_calls = true
    where id = p_org_id and not has_calls;

    update wallet.credit_reservations
    set
        status = 'committed',
        duration_seconds = v_call.duration_seconds,
        actual_cost_pence = v_call.cost_pence,
        charged_pence = v_call.charged_pence,
        owed_pence = v_call.owed_pence,
        transaction_id = v_call.transaction_id,
        closed_at = clock_timestamp(),
        updated_at = clock_timestamp()
    where org_id = p_org_id and id = v_reservation.id;

    -- What the call left of its hold goes to older calls first.
    if v_wallet.owed_pence > 0 then
        perform wallet.collect_owed(p_org_id);
    end if;

    return wallet.answer_call(v_call, p_duplicate => v_entry.id is not null);
end;
$$;

revoke all on function wallet.charge_call(uuid, text, wallet.call_report, text, bigint, text) from public;

comment on function wallet.charge_call(uuid, text, wallet.call_report, text, bigint, text) is
'Internal: bills a call by p_report.duration_seconds, once per call id, at the price of when it was reserved or began; closes its reservation, charges up to the debt limit and records the rest as owed. A call that is billed is answered as it was, and keeps what the report adds. Locks the organization''s row. Refuses organization_not_found, price_not_found, exchange_rate_not_found, and idempotency_conflict where the key call:<call_id> stands for something else.';
