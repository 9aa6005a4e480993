create or replace function wallet.require_minutes(p_field text, p_minutes integer)
returns integer
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value(p_field, p_minutes);
    if p_minutes not between 1 and 1440 then
        perform wallet.raise_misuse('WL002', p_field, 'must be a number of minutes from 1 to 1440', p_minutes::text);
    end if;
    return p_minutes;
end;
$$;

revoke all on function wallet.require_minutes(text, integer) from public;

comment on function wallet.require_minutes(text, integer) is
'Internal: answers an estimate in minutes; raises WL001 when it is null and WL002 when it is not from 1 to 1440.';
