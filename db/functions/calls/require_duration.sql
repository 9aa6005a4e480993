create or replace function wallet.require_duration(p_field text, p_seconds bigint)
returns bigint
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value(p_field, p_seconds);
    if p_seconds not between 0 and 604800 then
        perform wallet.raise_misuse(
            'WL002', p_field, 'must be a number of seconds from 0 to 604800, a week', p_seconds::text
        );
    end if;
    return p_seconds;
end;
$$;

revoke all on function wallet.require_duration(text, bigint) from public;

comment on function wallet.require_duration(text, bigint) is
'Internal: answers a duration in seconds; raises WL001 when it is null and WL002 when it is not from 0 to 604800.';
