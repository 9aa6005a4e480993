-- Where clocks go back over midnight a day has two: it starts with the first.
create or replace function wallet.day_start(p_day date, p_time_zone text)
returns timestamptz
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_midnight constant timestamptz := p_day::timestamp at time zone p_time_zone;
    v_earlier constant timestamptz := v_midnight - interval '1 hour';
begin
    return case when (v_earlier at time zone p_time_zone)::date = p_day then v_earlier else v_midnight end;
end;
$$;

revoke all on function wallet.day_start(date, text) from public;
grant execute on function wallet.day_start(date, text) to service_role, authenticated;

comment on function wallet.day_start(date, text) is
'The first moment of a day by the clock of a time zone. Raises 22023 for an unknown zone.';
