create or replace function wallet.require_amount(p_field text, p_amount_pence bigint)
returns bigint
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_amount_pence is null then
        perform wallet.raise_misuse('WL001', p_field, 'is required');
    elsif p_amount_pence <= 0 then
        perform wallet.raise_misuse(
            'WL002', p_field, 'must be a positive number of minor units', p_amount_pence::text
        );
    end if;
    return p_amount_pence;
end;
$$;

revoke all on function wallet.require_amount(text, bigint) from public;

comment on function wallet.require_amount(text, bigint) is
'Answers an amount; raises WL001 when it is null and WL002 when it is not positive.';
