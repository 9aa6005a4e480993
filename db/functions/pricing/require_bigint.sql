create or replace function wallet.require_bigint(p_field text, p_amount numeric, p_given numeric)
returns bigint
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_amount > 9223372036854775807 then
        perform wallet.raise_misuse('WL009', p_field, 'must come to an amount within bigint', p_given::text);
    end if;
    return p_amount;
end;
$$;

revoke all on function wallet.require_bigint(text, numeric, numeric) from public;

comment on function wallet.require_bigint(text, numeric, numeric) is
'Internal: answers the amount that p_given, the value of p_field, came to; raises WL009 when bigint can''t hold it.';
