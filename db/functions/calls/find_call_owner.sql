-- What several organizations share says nothing about whose call it is. A number is theirs who had it when the
-- call was placed; one that was entered here only afterwards is its only holder's all the same.
create or replace function wallet.find_call_owner(p_report wallet.call_report)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_owners uuid[];
begin
    v_owners := array(select org_id from wallet.agents where vapi_assistant_id = p_report.assistant_id);
    if cardinality(v_owners) = 1 then
        return v_owners[1];
    end if;

    select
        coalesce(
            array_agg(distinct org_id) filter (where provisioned_at <= p_report.placed_at), array_agg(distinct org_id)
        )
    into v_owners
    from wallet.phone_numbers
    where
        provider_number_id = p_report.phone_number_id
        and status <> 'failed'
        and (released_at is null or released_at > p_report.placed_at);

    return case when cardinality(v_owners) = 1 then v_owners[1] end;
end;
$$;

revoke all on function wallet.find_call_owner(wallet.call_report) from public;

comment on function wallet.find_call_owner(wallet.call_report) is
'Internal: the organization whose agent has the call''s assistant, or else whose number it came in or went out on; null when there is none or more than one.';
