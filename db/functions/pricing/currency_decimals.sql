-- As Stripe counts minor units: docs.stripe.com/currencies#zero-decimal.
create or replace function wallet.currency_decimals(p_currency text)
returns integer
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when p_currency in (
            'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
        ) then 0
        when p_currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 3
        else 2
    end;
end;
$$;

revoke all on function wallet.currency_decimals(text) from public;
grant execute on function wallet.currency_decimals(text) to service_role, authenticated;

comment on function wallet.currency_decimals(text) is
'How many decimal places the minor unit of a currency is of a whole one: 2 for gbp, 0 for jpy, 3 for kwd.';
