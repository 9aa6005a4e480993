-- Two organizations may have the same id for two calls of theirs. To guess would charge a stranger.
create or replace function wallet.find_reserving_organization(p_call_id text, p_org_id uuid)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_ids uuid[];
begin
    if p_org_id is not null then
        return p_org_id;
    end if;

    select array_agg(org_id) into v_org_ids
    from (
        select org_id
        from wallet.credit_reservations
        where call_id = p_call_id
        limit 2
    ) as reserving;

    if cardinality(v_org_ids) > 1 then
        perform wallet.raise_misuse('WL001', 'p_org_id', 'is required: several organizations have this call id', p_call_id);
    end if;
    return v_org_ids[1];
end;
$$;

revoke all on function wallet.find_reserving_organization(text, uuid) from public;

comment on function wallet.find_reserving_organization(text, uuid) is
'Internal: the organization that has reserved for a call, null when none has; p_org_id where it is given. Raises WL001 when several have.';
