create or replace function wallet.require_currency(p_field text, p_currency text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_currency is null then
        perform wallet.raise_misuse('WL001', p_field, 'is required');
    elsif p_currency !~ '^[a-z]{3}$' then
        perform wallet.raise_misuse('WL006', p_field, 'must be an ISO 4217 code in lower case, such as gbp', p_currency);
    end if;
    return p_currency;
end;
$$;

revoke all on function wallet.require_currency(text, text) from public;

comment on function wallet.require_currency(text, text) is
'Answers a currency; raises WL001 when it is null and WL006 when it is not three lower-case letters.';
