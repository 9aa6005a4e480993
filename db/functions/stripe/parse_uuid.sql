create or replace function wallet.parse_uuid(p_text text)
returns uuid
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if translate(lower(p_text), '123456789abcdef', '000000000000000') = '00000000-0000-0000-0000-000000000000' then
        return p_text::uuid;
    end if;
    return null;
end;
$$;

revoke all on function wallet.parse_uuid(text) from public;

comment on function wallet.parse_uuid(text) is
'The UUID that a text writes, or null when it writes none.';
