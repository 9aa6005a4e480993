create or replace function wallet.is_call_billed(p_org_id uuid, p_call_id text, p_vapi_call_id text)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select
        wallet.find_billed_call(p_org_id, p_call_id, p_vapi_call_id) is not null
        or exists (
            select from wallet.credit_transactions
            where org_id = p_org_id and idempotency_key = 'call:' || p_call_id
        )
$$;

revoke all on function wallet.is_call_billed(uuid, text, text) from public;

comment on function wallet.is_call_billed(uuid, text, text) is
'Internal: whether a call is in calls, under either id, or was charged by deduct_call_credits. Final only under the organization''s lock.';
