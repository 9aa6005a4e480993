create or replace function wallet.require_text(p_field text, p_value text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_value is null then
        perform wallet.raise_misuse('WL001', p_field, 'is required');
    elsif btrim(p_value, E' \t\n\r') = '' or length(p_value) > 255 then
        perform wallet.raise_misuse('WL005', p_field, 'must have 1 to 255 characters and not be blank', p_value);
    end if;
    return p_value;
end;
$$;

revoke all on function wallet.require_text(text, text) from public;

comment on function wallet.require_text(text, text) is
'Answers a text; raises WL001 when it is null and WL005 when it is blank or longer than 255 characters.';
