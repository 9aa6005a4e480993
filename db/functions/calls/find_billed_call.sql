create or replace function wallet.find_billed_call(p_org_id uuid, p_call_id text, p_vapi_call_id text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_call_id text;
begin
    select call_id into v_call_id
    from wallet.calls
    where org_id = p_org_id and call_id = p_call_id;

    if not found and p_vapi_call_id is not null then
        select call_id into v_call_id
        from wallet.calls
        where org_id = p_org_id and vapi_call_id = p_vapi_call_id;
    end if;
    return v_call_id;
end;
$$;

revoke all on function wallet.find_billed_call(uuid, text, text) from public;

comment on function wallet.find_billed_call(uuid, text, text) is
'Internal: the id under which calls has a call, by our id or the provider''s; null when it doesn''t. Final only under the organization''s lock.';
