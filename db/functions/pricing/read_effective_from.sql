create or replace function wallet.read_effective_from(p_effective_from timestamptz)
returns timestamptz
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if not isfinite(p_effective_from) then
        perform wallet.raise_misuse('WL006', 'p_effective_from', 'must be a date and time', p_effective_from::text);
    elsif p_effective_from < now() - interval '1 minute' then
        return p_effective_from + interval '1 minute';
    end if;
    return greatest(p_effective_from, now());
end;
$$;

revoke all on function wallet.read_effective_from(timestamptz) from public;

comment on function wallet.read_effective_from(timestamptz) is
'Internal: from when on a price, rate or limit is to apply: now where it is null, or past by no more than the minute that two clocks may differ. What is older stays in the past, at the end of that minute: there a late retry finds what it wrote. Raises WL006 when it is infinite.';
