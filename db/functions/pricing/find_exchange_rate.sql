-- Never turned round: who sells pounds for dollars doesn't buy them at that rate.
create or replace function wallet.find_exchange_rate(
    p_org_id uuid,
    p_from text,
    p_to text,
    p_at timestamptz
)
returns numeric
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rate numeric;
begin
    if p_from = p_to then
        return 1;
    end if;

    select rate into v_rate
    from wallet.exchange_rates
    where from_currency = p_from and to_currency = p_to and org_id = p_org_id and effective_from <= p_at
    order by org_id desc, effective_from desc, id desc
    limit 1;

    if v_rate is null then
        select rate into v_rate
        from wallet.exchange_rates
        where from_currency = p_from and to_currency = p_to and org_id is null and effective_from <= p_at
        order by org_id desc, effective_from desc, id desc
        limit 1;
    end if;

    return trim_scale(v_rate);
end;
$$;

revoke all on function wallet.find_exchange_rate(uuid, text, text, timestamptz) from public;

comment on function wallet.find_exchange_rate(uuid, text, text, timestamptz) is
'Internal: what a whole unit of one currency costs in whole units of another at a time: the organization''s own newest rate unless there is none or it was withdrawn, then the general newest one. 1 for the same currency; null when there is none.';
