-- post_transaction for many charges at once, by the same rules in the same order; a test holds it
-- against single charges, entry by entry. All wallets are locked first, in the order of their ids, so
-- that two batches can't deadlock. Then comes a loop that only computes, and two statements that write.
create or replace function wallet.deduct_call_credits_batch(p_charges jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- By hashing, a handful of charges would read all wallets there are.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_charges wallet.requested_charge[];
    v_org_ids uuid[];
    v_charge record;
    v_org_id uuid;
    v_is_frozen boolean;
    v_spendable numeric;
    v_balance bigint;
    v_number bigint;
    v_time timestamptz;
    v_hash bytea;
    v_entry wallet.credit_transactions;
    v_entries wallet.credit_transactions[] := '{}';
    -- Where the entry of each charge stands in v_entries.
    v_places integer[];
    v_result jsonb;
    v_results jsonb[];
    v_wanting uuid[] := '{}';
    v_charged integer := 0;
    v_duplicates integer := 0;
begin
    perform wallet.require_value('p_charges', p_charges);
    if jsonb_typeof(p_charges) <> 'array' then
        perform wallet.raise_misuse('WL006', 'p_charges', 'must be a JSON array of charges', jsonb_typeof(p_charges));
    elsif jsonb_array_length(p_charges) > 10000 then
        perform wallet.raise_misuse(
            'WL002', 'p_charges', 'must hold at most 10000 charges', jsonb_array_length(p_charges)::text
        );
    end if;
    v_places := array_fill(null::integer, array[jsonb_array_length(p_charges)]);
    v_results := array_fill(null::jsonb, array[jsonb_array_length(p_charges)]);

    v_charges := array(select c from wallet.read_charges(p_charges) as c);
    v_org_ids := array(select distinct org_id from unnest(v_charges));

    perform from wallet.organizations
    where id = any(v_org_ids)
    order by id
    for no key update;

    perform wallet.settle_wallet(id)
    from wallet.organizations
    where id = any(v_org_ids) and (reserved_pence > 0 or owed_pence > 0);

    for v_charge in
        select
            c.*,
            o.id is not null as is_known,
            o.wallet_balance_pence,
            o.reserved_pence,
            o.owed_pence,
            o.debt_limit_pence,
            o.wallet_auto_recharge,
            o.wallet_low_balance_pence,
            o.frozen,
            o.last_entry_number,
            o.last_entry_at,
            o.last_entry_hash,
            lag(c.item) over (partition by c.org_id, c.call_id order by c.item) as earlier_item,
            -- One by one: written as a join, this would read the whole history of a wallet.
            (
                select e.entry_number
                from wallet.credit_transactions as e
                where e.org_id = c.org_id and e.idempotency_key = 'call:' || c.call_id
            ) as original_number,
            case when o.has_calls then wallet.find_billed_call(c.org_id, c.call_id, c.vapi_call_id) end as billed_as
        from unnest(v_charges) as c
        left join wallet.organizations as o on o.id = c.org_id
        order by c.org_id, c.item
    loop
        if v_charge.org_id is distinct from v_org_id then
            v_org_id := v_charge.org_id;
            v_is_frozen := v_charge.frozen and wallet.find_freeze(v_org_id, 'spending') is not null;
            v_balance := v_charge.wallet_balance_pence;
            v_spendable := v_balance::numeric - v_charge.reserved_pence - v_charge.owed_pence + v_charge.debt_limit_pence;
            v_number := v_charge.last_entry_number;
            v_time := v_charge.last_entry_at;
            v_hash := v_charge.last_entry_hash;
        end if;
        v_places[v_charge.item] := v_places[v_charge.earlier_item];

        if v_charge.wrong_field is not null then
            v_result := wallet.refuse_charge(v_charge.item - 1, v_charge.wrong_field);
        elsif not v_charge.is_known then
            v_result := wallet.refuse_unknown_organization(v_org_id);
        elsif coalesce(v_charge.original_number, v_places[v_charge.item]) is not null then
            if v_charge.original_number is null then
                v_entry := v_entries[v_places[v_charge.item]];
            else
                select * into strict v_entry
                from wallet.credit_transactions
                where org_id = v_org_id and entry_number = v_charge.original_number;
            end if;
            v_result := wallet.answer_replay(v_entry, 'call_deduction', 'debit', v_charge.client_charged_pence);
            v_duplicates := v_duplicates + (v_result ->> 'success')::boolean::integer;
        elsif v_charge.billed_as is not null then
            v_result := wallet.answer_billed_call(v_org_id, v_charge.billed_as, v_charge.client_charged_pence);
            v_duplicates := v_duplicates + (v_result ->> 'success')::boolean::integer;
        elsif v_is_frozen then
            v_result := wallet.refuse_frozen(v_org_id, 'spending');
        elsif v_charge.client_charged_pence > v_spendable then
            v_wanting := v_wanting || v_org_id;
            v_result := wallet.refuse_overdraft(v_org_id, v_charge.client_charged_pence, 'debt_limit', v_balance);
        else
            v_number := v_number + 1;
            v_time := greatest(clock_timestamp(), v_time);

            v_entry := row(
                v_org_id,
                v_number,
                gen_random_uuid(),
                v_time,
                v_charge.client_charged_pence,
                v_balance,
                v_balance - v_charge.client_charged_pence,
                v_charge.provider_cost_pence,
                v_charge.client_charged_pence,
                v_charge.client_charged_pence - v_charge.provider_cost_pence,
                v_charge.markup_percent,
                'call_deduction',
                'debit',
                'call:' || v_charge.call_id,
                v_charge.call_id,
                v_charge.vapi_call_id,
                null,
                null,
                v_charge.description,
                'system',
                v_charge.cost_breakdown,
                null
            )::wallet.credit_transactions;
            v_hash := wallet.hash_entry(v_hash, v_entry);
            v_entry.entry_hash := v_hash;

            v_balance := v_entry.balance_after_pence;
            v_spendable := v_spendable - v_charge.client_charged_pence;
            v_charged := v_charged + 1;
            v_entries[v_charged] := v_entry;
            v_places[v_charge.item] := v_charged;
            v_result := wallet.answer_entry(
                v_entry,
                false,
                v_charge.debt_limit_pence,
                v_charge.wallet_auto_recharge,
                v_charge.wallet_low_balance_pence
            );
        end if;

        v_results[v_charge.item] := v_result || jsonb_build_object('index', v_charge.item - 1);
    end loop;

    insert into wallet.credit_transactions select * from unnest(v_entries);

    update wallet.organizations as o
    set
        wallet_balance_pence = w.balance_after_pence,
        total_spent_pence = total_spent_pence + w.spent_pence,
        total_profit_pence = total_profit_pence + w.profit_pence,
        total_calls = total_calls + w.calls,
        last_entry_number = w.last_entry_number,
        last_entry_at = w.last_entry_at,
        last_entry_hash = w.last_entry_hash,
        updated_at = w.last_entry_at
    from (
        select
            org_id,
            min(balance_after_pence) as balance_after_pence,
            sum(amount_pence)::bigint as spent_pence,
            sum(gross_profit_pence)::bigint as profit_pence,
            count(*) as calls,
            max(entry_number) as last_entry_number,
            max(created_at) as last_entry_at,
            (array_agg(entry_hash order by entry_number desc))[1] as last_entry_hash
        from unnest(v_entries)
        group by org_id
    ) as w
    where o.id = w.org_id;

    -- As one by one: the first entry below the threshold is the one that tells of it.
    perform wallet.note_low_balance(low.first_entry, low.wallet_auto_recharge, low.wallet_low_balance_pence)
    from (
        select distinct on (e.org_id)
            e as first_entry,
            o.wallet_auto_recharge,
            o.wallet_low_balance_pence
        from unnest(v_entries) as e
        inner join wallet.organizations as o on o.id = e.org_id
        where e.balance_after_pence < o.wallet_low_balance_pence
        order by e.org_id, e.entry_number
    ) as low;

    perform wallet.request_recharge(id)
    from wallet.organizations
    where id = any(v_wanting) and wallet_auto_recharge;

    return jsonb_build_object(
        'success', true,
        'charged', v_charged,
        'duplicates', v_duplicates,
        'refused', cardinality(v_results) - v_charged - v_duplicates,
        'results', to_jsonb(v_results)
    );
end;
$$;

revoke all on function wallet.deduct_call_credits_batch(jsonb) from public;
grant execute on function wallet.deduct_call_credits_batch(jsonb) to service_role;

comment on function wallet.deduct_call_credits_batch(jsonb) is
'Charges up to 10,000 calls: an array of objects with the arguments of deduct_call_credits by name (org_id, call_id, …). results answers each in the order of the array, as deduct_call_credits does, with its index from 0; one that is refused doesn''t undo the others. Locks the organizations'' rows in the order of their ids. Refuses items: invalid_charge, organization_not_found, idempotency_conflict, wallet_frozen, debt_limit_exceeded; raises WL001, WL002, WL006.';
