create or replace function wallet.find_price(p_org_id uuid, p_service text, p_at timestamptz)
returns wallet.prices
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_price wallet.prices;
begin
    select * into v_price
    from wallet.prices
    where service = p_service and org_id = p_org_id and effective_from <= p_at
    order by org_id desc, effective_from desc, id desc
    limit 1;

    if v_price.unit_price is null then
        select * into v_price
        from wallet.prices
        where service = p_service and org_id is null and effective_from <= p_at
        order by org_id desc, effective_from desc, id desc
        limit 1;
    end if;

    return v_price;
end;
$$;

revoke all on function wallet.find_price(uuid, text, timestamptz) from public;

comment on function wallet.find_price(uuid, text, timestamptz) is
'Internal: the price of a service (its name in prices) at a time: the organization''s own newest one unless there is none or it was withdrawn, then the general newest one. All null when there is none.';
