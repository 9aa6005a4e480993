create or replace function wallet.find_gate_limit(p_org_id uuid, p_service text, p_at timestamptz)
returns wallet.gate_limits
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit wallet.gate_limits;
begin
    select * into v_limit
    from wallet.gate_limits
    where service = p_service and org_id = p_org_id and effective_from <= p_at
    order by org_id desc, effective_from desc, id desc
    limit 1;

    if v_limit.minimum_pence is null then
        select * into v_limit
        from wallet.gate_limits
        where service = p_service and org_id is null and effective_from <= p_at
        order by org_id desc, effective_from desc, id desc
        limit 1;
    end if;

    return v_limit;
end;
$$;

revoke all on function wallet.find_gate_limit(uuid, text, timestamptz) from public;

comment on function wallet.find_gate_limit(uuid, text, timestamptz) is
'Internal: the minimum that a service''s gate asks for at a time: the organization''s own newest one unless there is none or it was withdrawn, then the general newest one. All null when there is none.';
