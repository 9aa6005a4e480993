-- The ledger has no index for the provider's ids, which every charge would pay for. A call is charged
-- after it was placed, so only the entries since then are read, once for any number of calls; and five
-- minutes more, for clocks that differ.
create or replace function wallet.find_charged_calls(
    p_org_ids uuid[],
    p_vapi_call_ids text[],
    p_placed_since timestamptz
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_object_agg(e.vapi_call_id, e.call_id), '{}')
    from unnest(p_org_ids) as o (id)
    inner join wallet.credit_transactions as e
        on
            e.org_id = o.id
            and e.entry_number > wallet.last_entry_before(o.id, p_placed_since - interval '5 minutes')
    where e.vapi_call_id = any(p_vapi_call_ids) and e.type = 'call_deduction'
$$;

revoke all on function wallet.find_charged_calls(uuid[], text[], timestamptz) from public;

comment on function wallet.find_charged_calls(uuid[], text[], timestamptz) is
'Internal: our id of each of these Vapi ids that deduct_call_credits has charged to one of these organizations since a time at which none was placed yet. Final only under the organizations'' locks.';
