begin;
select plan(3);
\ir ../support.sql

select pg_temp.answers(
    wallet.refuse_charge(7, 'call_id'),
    '{
        "success": false, "error": "invalid_charge", "field": "call_id",
        "expected": "must have 1 to 255 characters and not be blank"
    }',
    'a refusal names the field, and what was expected'
);
select alike(wallet.refuse_charge(7, 'call_id') ->> 'message', '%7%call_id%', 'the sentence says it, too');
select is_empty(
    $$
        select field
        from unnest(
            array[
                'item', 'org_id', 'call_id', 'client_charged_pence', 'provider_cost_pence', 'markup_percent',
                'vapi_call_id', 'description'
            ]
        ) as field
        where coalesce(wallet.refuse_charge(0, field) ->> 'expected', '') = ''
    $$,
    'something is expected of every field'
);

select * from finish();
rollback;
