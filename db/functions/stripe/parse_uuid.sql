create or replace function wallet.parse_uuid(p_text text)
returns uuid
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when p_text ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then p_text::uuid
    end
$$;

revoke all on function wallet.parse_uuid(text) from public;

comment on function wallet.parse_uuid(text) is
'The UUID that a text writes, or null when it writes none.';
