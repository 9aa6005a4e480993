create or replace function wallet.require_value(p_field text, p_value anyelement)
returns anyelement
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_value is null then
        perform wallet.raise_misuse('WL001', p_field, 'is required');
    end if;
    return p_value;
end;
$$;

revoke all on function wallet.require_value(text, anyelement) from public;
grant execute on function wallet.require_value(text, anyelement) to service_role, authenticated;

comment on function wallet.require_value(text, anyelement) is
'Answers a required argument; raises WL001 when it is null.';
