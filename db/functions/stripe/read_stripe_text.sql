create or replace function wallet.read_stripe_text(p_object jsonb, p_path text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value constant jsonb := p_object #> string_to_array(p_path, '.');
begin
    if jsonb_typeof(v_value) not in ('string', 'null') then
        perform wallet.raise_misuse('WL010', 'data.object.' || p_path, 'must be a string or null', v_value::text);
    end if;
    return nullif(btrim(v_value #>> '{}'), '');
end;
$$;

revoke all on function wallet.read_stripe_text(jsonb, text) from public;

comment on function wallet.read_stripe_text(jsonb, text) is
'A text at a dotted path of a Stripe object; null when absent, null or blank. Raises WL010 for anything but a string.';
