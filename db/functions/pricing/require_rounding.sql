create or replace function wallet.require_rounding(p_field text, p_rounding text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_rounding is null then
        perform wallet.raise_misuse('WL001', p_field, 'is required');
    elsif p_rounding not in ('up', 'nearest', 'down') then
        perform wallet.raise_misuse('WL006', p_field, 'must be up, nearest or down', p_rounding);
    end if;
    return p_rounding;
end;
$$;

revoke all on function wallet.require_rounding(text, text) from public;

comment on function wallet.require_rounding(text, text) is
'Internal: answers a way of rounding; raises WL001 when it is null and WL006 when it is not up, nearest or down.';
