create or replace function wallet.read_report_time(p_call jsonb, p_key text)
returns timestamptz
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_text constant text := p_call ->> p_key;
begin
    if v_text is null then
        return null;
    elsif v_text ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)$' then
        begin
            return v_text::timestamptz;
        exception
            when datetime_field_overflow or invalid_time_zone_displacement_value then
                null;  -- such as a thirteenth month: no time either
        end;
    end if;
    perform wallet.raise_misuse('WL012', p_key, 'must be a time in ISO 8601 with its zone', v_text);
end;
$$;

revoke all on function wallet.read_report_time(jsonb, text) from public;

comment on function wallet.read_report_time(jsonb, text) is
'Internal: a time of a stripped call report; null when absent. Raises WL012 for anything but ISO 8601 with a zone.';
