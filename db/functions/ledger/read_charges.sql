-- The arguments of deduct_call_credits out of JSON, with or without their p_. What is wrong with one is
-- a value here and not an error, since it must not spoil the others.
create or replace function wallet.read_charges(p_charges jsonb)
returns setof wallet.requested_charge
language sql
stable
rows 1000
set search_path = pg_catalog, pg_temp
as $$
    with charges as materialized (
        select
            a.item::integer as item,
            case
                when a.charge ? 'p_org_id' then (
                    select jsonb_object_agg(regexp_replace(k.key, '^p_', ''), k.value)
                    from jsonb_each(a.charge) as k
                )
                else a.charge
            end as charge
        from jsonb_array_elements(p_charges) with ordinality as a (charge, item)
    ),

    texts as materialized (
        select
            item,
            charge,
            charge ->> 'org_id' as org_id,
            charge ->> 'call_id' as call_id,
            charge ->> 'provider_cost_pence' as provider_cost_pence,
            charge ->> 'markup_percent' as markup_percent,
            charge ->> 'client_charged_pence' as client_charged_pence
        from charges
    ),

    checked as materialized (
        select
            *,
            case
                when jsonb_typeof(charge) <> 'object' then 'item'
                when (org_id ~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$') is not true then 'org_id'
                when
                    jsonb_typeof(charge -> 'call_id') is distinct from 'string'
                    or btrim(call_id, E' \t\n\r') = ''
                    or length(call_id) > 255
                    then 'call_id'
                when
                    case
                        when client_charged_pence ~ '^[0-9]{1,19}$'
                            then client_charged_pence::numeric between 1 and 9223372036854775807
                    end is not true
                    then 'client_charged_pence'
                when
                    case
                        when provider_cost_pence ~ '^[0-9]{1,19}$'
                            then provider_cost_pence::numeric <= 9223372036854775807
                    end is not true
                    then 'provider_cost_pence'
                when
                    case
                        when markup_percent ~ '^-?[0-9]{1,10}$'
                            then markup_percent::numeric not between -2147483648 and 2147483647
                        else markup_percent is not null
                    end
                    then 'markup_percent'
                when jsonb_typeof(charge -> 'vapi_call_id') not in ('string', 'null') then 'vapi_call_id'
                when jsonb_typeof(charge -> 'description') not in ('string', 'null') then 'description'
            end as wrong_field
        from texts
    )

    select
        item,
        case when wrong_field is null then org_id::uuid end,
        call_id,
        charge ->> 'vapi_call_id',
        case when wrong_field is null then provider_cost_pence::bigint end,
        case when wrong_field is null then markup_percent::integer end,
        case when wrong_field is null then client_charged_pence::bigint end,
        nullif(charge -> 'cost_breakdown', 'null'),
        charge ->> 'description',
        wrong_field
    from checked
$$;

revoke all on function wallet.read_charges(jsonb) from public;

comment on function wallet.read_charges(jsonb) is
'Internal: the charges of a batch, one a row, numbered from 1 in their order; wrong_field names what makes one unusable.';
