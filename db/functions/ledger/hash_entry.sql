-- JSON quotes every value, so that no two different rows make the same text; the time is a number of
-- microseconds, so that the session's time zone doesn't matter. A column that is added to the table
-- later is hashed under a new version tag.
create or replace function wallet.hash_entry(p_previous_hash bytea, p_entry wallet.credit_transactions)
returns bytea
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return sha256(p_previous_hash || convert_to(json_build_array(
        'v1',
        p_entry.org_id,
        p_entry.entry_number,
        p_entry.id,
        (extract(epoch from p_entry.created_at) * 1000000)::bigint,
        p_entry.type,
        p_entry.direction,
        p_entry.amount_pence,
        p_entry.balance_before_pence,
        p_entry.balance_after_pence,
        p_entry.idempotency_key,
        p_entry.call_id,
        p_entry.vapi_call_id,
        p_entry.provider_cost_pence,
        p_entry.client_charged_pence,
        p_entry.gross_profit_pence,
        p_entry.markup_percent,
        p_entry.cost_breakdown,
        p_entry.stripe_payment_intent_id,
        p_entry.stripe_charge_id,
        p_entry.description,
        p_entry.created_by
    )::text, 'UTF8'));
end;
$$;

revoke all on function wallet.hash_entry(bytea, wallet.credit_transactions) from public;
grant execute on function wallet.hash_entry(bytea, wallet.credit_transactions) to service_role;

comment on function wallet.hash_entry(bytea, wallet.credit_transactions) is
'sha256 over the previous entry''s hash and every column of an entry but entry_hash.';
