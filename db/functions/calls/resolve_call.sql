-- What we know of the call ourselves comes first. A web call is started in a browser, which may write whatever
-- it likes into the metadata: there, the owner of the assistant or number comes before them.
create or replace function wallet.resolve_call(p_report wallet.call_report)
returns wallet.call_report
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_id uuid;
    v_call_id text;
begin
    select org_id, call_id into v_org_id, v_call_id
    from wallet.calls
    where vapi_call_id = p_report.vapi_call_id
    order by created_at
    limit 1;

    if not found then
        select org_id, call_id into v_org_id, v_call_id
        from wallet.credit_reservations
        where vapi_call_id = p_report.vapi_call_id
        order by (status = 'open') desc, created_at desc
        limit 1;
    end if;

    if not found then
        v_org_id := case
            when p_report.direction = 'web' then coalesce(wallet.find_call_owner(p_report), p_report.org_id)
            else coalesce(p_report.org_id, wallet.find_call_owner(p_report))
        end;
        -- Metadata that were given to two calls name the first.
        v_call_id := case
            when
                exists (
                    select
                    from wallet.calls
                    where
                        org_id = v_org_id and call_id = p_report.call_id and vapi_call_id <> p_report.vapi_call_id
                )
                or exists (
                    select
                    from wallet.credit_reservations
                    where
                        org_id = v_org_id and call_id = p_report.call_id and vapi_call_id <> p_report.vapi_call_id
                )
                then p_report.vapi_call_id
            else coalesce(p_report.call_id, p_report.vapi_call_id)
        end;
    end if;

    return row(
        p_report.vapi_call_id,
        v_call_id,
        v_org_id,
        p_report.ended,
        p_report.direction,
        p_report.assistant_id,
        p_report.phone_number_id,
        p_report.ended_reason,
        p_report.placed_at,
        p_report.started_at,
        p_report.ended_at,
        p_report.duration_seconds,
        p_report.provider_cost_usd
    )::wallet.call_report;
end;
$$;

revoke all on function wallet.resolve_call(wallet.call_report) from public;

comment on function wallet.resolve_call(wallet.call_report) is
'Internal: the report with the organization and the call id that it belongs to: those of the call or the reservation with its Vapi id, or those of its metadata, or the owner of its assistant or number and the Vapi id. org_id is null when nobody knows. Final only under the organization''s lock.';
