begin;
select plan(7);
\ir ../support.sql

create temporary table read as
select *
from wallet.read_charges(
    jsonb_build_array(
        jsonb_build_object(
            'org_id', pg_temp.org('acme'), 'call_id', 'call_1', 'vapi_call_id', 'v', 'provider_cost_pence', 5,
            'markup_percent', -10, 'client_charged_pence', '7', 'cost_breakdown', '{"a": 1}'::jsonb, 'description', 'd'
        ),
        jsonb_build_object(
            'p_org_id', upper(pg_temp.org('acme')::text), 'p_call_id', 'call_2', 'p_provider_cost_pence', 0,
            'p_client_charged_pence', 9223372036854775807
        ),
        jsonb_build_object(
            'org_id', pg_temp.org('acme'), 'call_id', 'call_3', 'provider_cost_pence', 9223372036854775808,
            'client_charged_pence', 1
        ),
        '{"org_id": 7}'::jsonb,
        'null'::jsonb
    )
);
select pg_temp.answers(
    to_jsonb(read),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'call_id', 'call_1', 'vapi_call_id', 'v', 'provider_cost_pence', 5,
        'markup_percent', -10, 'client_charged_pence', 7, 'cost_breakdown', '{"a": 1}'::jsonb, 'description', 'd',
        'wrong_field', null
    ),
    'a charge is read'
)
from read
where item = 1;
select pg_temp.answers(
    to_jsonb(read),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'call_id', 'call_2', 'vapi_call_id', null, 'provider_cost_pence', 0,
        'markup_percent', null, 'client_charged_pence', 9223372036854775807, 'cost_breakdown', null, 'wrong_field', null
    ),
    'with p_ before its names, and without what isn''t required'
)
from read
where item = 2;
select is(wrong_field, expected, format('item %s: what is wrong is %s', item, expected))
from read
inner join (values (3, 'provider_cost_pence'), (4, 'org_id'), (5, 'item')) as t (place, expected) on place = item;
select is((select count(*) from read), 5::bigint, 'each is a row');
select is_empty($$select from wallet.read_charges('[]')$$, 'of none there is none');

select * from finish();
rollback;
