-- A division that is cut off would lose the last trace that rounding up has to see: what divides is
-- exact, so it is decided on the remainder.
create or replace function wallet.round_ratio(p_numerator numeric, p_denominator numeric, p_rounding text)
returns numeric
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    case p_rounding
        when 'up' then
            return div(p_numerator, p_denominator) + (mod(p_numerator, p_denominator) > 0)::integer;
        when 'nearest' then
            return div(2 * p_numerator + p_denominator, 2 * p_denominator);
        when 'down' then
            return div(p_numerator, p_denominator);
    end case;
end;
$$;

revoke all on function wallet.round_ratio(numeric, numeric, text) from public;

comment on function wallet.round_ratio(numeric, numeric, text) is
'Internal: numerator by denominator as a whole number, exactly: up, nearest (halves up) or down. Neither may be negative.';
