create or replace function wallet.require_stripe_text(p_object jsonb, p_path text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value constant text := wallet.read_stripe_text(p_object, p_path);
begin
    if v_value is null then
        perform wallet.raise_misuse('WL010', 'data.object.' || p_path, 'is required');
    end if;
    return v_value;
end;
$$;

revoke all on function wallet.require_stripe_text(jsonb, text) from public;

comment on function wallet.require_stripe_text(jsonb, text) is
'A text at a dotted path of a Stripe object that has to be there. Raises WL010.';
