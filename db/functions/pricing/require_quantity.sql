create or replace function wallet.require_quantity(p_field text, p_quantity bigint, p_least bigint)
returns bigint
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value(p_field, p_quantity);
    if p_quantity < p_least then
        perform wallet.raise_misuse('WL002', p_field, format('must be %s or more', p_least), p_quantity::text);
    end if;
    return p_quantity;
end;
$$;

revoke all on function wallet.require_quantity(text, bigint, bigint) from public;

comment on function wallet.require_quantity(text, bigint, bigint) is
'Internal: answers a quantity; raises WL001 when it is null and WL002 when it is less than p_least.';
