create or replace function wallet.quote_usage(
    p_org_id uuid,
    p_service text,
    p_quantity bigint,
    p_at timestamptz default pg_catalog.now()
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_service', p_service);
    perform wallet.require_quantity('p_quantity', p_quantity, 0);
    perform wallet.require_value('p_at', p_at);

    return wallet.price_usage(p_org_id, p_service, p_quantity, p_at);
end;
$$;

revoke all on function wallet.quote_usage(uuid, text, bigint, timestamptz) from public;
grant execute on function wallet.quote_usage(uuid, text, bigint, timestamptz) to service_role;

comment on function wallet.quote_usage(uuid, text, bigint, timestamptz) is
'What a quantity of a service, 0 or more in what it is measured in (a call: seconds), costs an organization at a time, in minor units of its wallet, with the breakdown that explains it. Writes nothing. Refuses organization_not_found, price_not_found, exchange_rate_not_found; raises WL001, WL002, WL006, WL009.';
