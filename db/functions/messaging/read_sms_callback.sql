create or replace function wallet.read_sms_callback(p_callback jsonb, p_field text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value constant text := p_callback ->> p_field;
begin
    if jsonb_typeof(p_callback -> p_field) not in ('string', 'number', 'null') then
        perform wallet.raise_misuse('WL013', p_field, 'must be a text', v_value);
    elsif length(v_value) > 255 then
        perform wallet.raise_misuse('WL013', p_field, 'must have at most 255 characters', v_value);
    end if;
    return case when btrim(v_value, E' \t\n\r') <> '' then v_value end;
end;
$$;

revoke all on function wallet.read_sms_callback(jsonb, text) from public;

comment on function wallet.read_sms_callback(jsonb, text) is
'Internal: a field of a status callback; null when absent or blank. Raises WL013 for anything but a text of up to 255 characters, or a number.';
