create or replace function wallet.bill_call(
    p_org_id uuid,
    p_call_id text,
    p_duration_seconds bigint,
    p_vapi_call_id text default null,
    p_provider_cost_pence bigint default null,
    p_started_at timestamptz default null,
    p_description text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_call_id', p_call_id);
    perform wallet.require_duration('p_duration_seconds', p_duration_seconds);
    if p_vapi_call_id is not null then
        perform wallet.require_text('p_vapi_call_id', p_vapi_call_id);
    end if;
    if p_provider_cost_pence < 0 then
        perform wallet.raise_misuse('WL002', 'p_provider_cost_pence', 'must be 0 or more', p_provider_cost_pence::text);
    end if;

    return wallet.refuse_other_duration(
        wallet.charge_call(
            p_org_id,
            p_call_id,
            jsonb_populate_record(
                null::wallet.call_report,
                jsonb_build_object(
                    'vapi_call_id', p_vapi_call_id,
                    'started_at', p_started_at,
                    'ended_at', p_started_at + make_interval(secs => p_duration_seconds),
                    'duration_seconds', p_duration_seconds
                )
            ),
            'backend',
            p_provider_cost_pence,
            p_description
        ),
        p_duration_seconds
    );
end;
$$;

revoke all on function wallet.bill_call(uuid, text, bigint, text, bigint, timestamptz, text) from public;
grant execute on function wallet.bill_call(uuid, text, bigint, text, bigint, timestamptz, text) to service_role;

comment on function wallet.bill_call(uuid, text, bigint, text, bigint, timestamptz, text) is
'Prices a call by its duration in seconds, 0 to a week, and charges it, once per call id, with or without a reservation. The call has taken place, so it is never refused for lack of money: what passes the debt limit is owed. Locks the organization''s row. Refuses organization_not_found, idempotency_conflict (billed with another duration), price_not_found, exchange_rate_not_found; raises WL001, WL002, WL005.';
