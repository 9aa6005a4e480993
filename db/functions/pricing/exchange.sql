create or replace function wallet.exchange(
    p_amount numeric,
    p_from text,
    p_to text,
    p_rate numeric,
    p_rounding text
)
returns numeric
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return wallet.round_ratio(
        p_amount * p_rate * 10::numeric ^ wallet.currency_decimals(p_to),
        10::numeric ^ wallet.currency_decimals(p_from),
        p_rounding
    );
end;
$$;

revoke all on function wallet.exchange(numeric, text, text, numeric, text) from public;

comment on function wallet.exchange(numeric, text, text, numeric, text) is
'Internal: minor units of one currency as whole minor units of another, at a rate of whole units, rounded up, nearest or down.';
