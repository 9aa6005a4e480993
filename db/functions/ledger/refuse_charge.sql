create or replace function wallet.refuse_charge(p_index integer, p_field text)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_expected constant text := case p_field
        when 'item' then 'must be a JSON object'
        when 'org_id' then 'must be the id of an organization'
        when 'call_id' then 'must have 1 to 255 characters and not be blank'
        when 'client_charged_pence' then 'must be a positive number of minor units'
        when 'provider_cost_pence' then 'must be a number of minor units, 0 or more'
        when 'markup_percent' then 'must be a whole number'
        else 'must be a text'
    end;
begin
    return wallet.refuse(
        'invalid_charge',
        format('Charge %s: %s %s.', p_index, p_field, v_expected),
        jsonb_build_object('field', p_field, 'expected', v_expected)
    );
end;
$$;

revoke all on function wallet.refuse_charge(integer, text) from public;

comment on function wallet.refuse_charge(integer, text) is
'Internal: the refusal invalid_charge of one item of a batch; p_index counts from 0.';
