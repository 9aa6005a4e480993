create or replace function wallet.read_stripe_amount(p_object jsonb, p_path text)
returns bigint
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value constant jsonb := p_object #> string_to_array(p_path, '.');
    v_amount numeric;
begin
    if jsonb_typeof(v_value) = 'number' then
        v_amount := v_value::numeric;
        if v_amount between 0 and 9223372036854775807 and v_amount = trunc(v_amount) then
            return v_amount::bigint;
        end if;
    end if;
    perform wallet.raise_misuse(
        'WL010', 'data.object.' || p_path, 'must be a whole number of minor units, 0 or more', v_value::text
    );
end;
$$;

revoke all on function wallet.read_stripe_amount(jsonb, text) from public;

comment on function wallet.read_stripe_amount(jsonb, text) is
'An amount in minor units at a dotted path of a Stripe object. Raises WL010 unless it is a whole number from 0 to the largest bigint.';
