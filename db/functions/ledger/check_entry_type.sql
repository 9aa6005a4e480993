create or replace function wallet.check_entry_type(p_type text, p_direction text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_directions constant text[] := wallet.entry_directions(p_type);
begin
    if p_type is null then
        perform wallet.raise_misuse('WL001', 'type', 'is required');
    elsif v_directions is null then
        perform wallet.raise_misuse('WL003', 'type', 'must be one of the ledger''s entry types', p_type);
    elsif p_direction is null then
        perform wallet.raise_misuse('WL001', 'direction', 'is required');
    elsif p_direction not in ('credit', 'debit') then
        perform wallet.raise_misuse('WL006', 'direction', 'must be credit or debit', p_direction);
    elsif p_direction <> all (v_directions) then
        perform wallet.raise_misuse('WL004', 'type', p_type || ' can only be a ' || v_directions[1], p_direction);
    end if;
end;
$$;

revoke all on function wallet.check_entry_type(text, text) from public;

comment on function wallet.check_entry_type(text, text) is
'Raises WL003 for an unknown entry type, WL004 for one that does not go in this direction, WL006 for an unknown direction, WL001 for a null.';
