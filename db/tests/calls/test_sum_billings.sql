begin;
select plan(5);
\ir ../support.sql
\ir reports.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform pg_temp.open_wallet('paris', 1000, p_currency => 'eur');
end $$;

select is(
    wallet.sum_billings('[]'),
    '{
        "billed": 0, "billed_pence": 0, "billed_by_currency": {}, "owed_pence": 0, "told": 0, "duplicates": [],
        "failed_count": 0, "failed": [], "new": []
    }',
    'nothing is nothing'
);

create function pg_temp.outcome_of(p_name text, p_org text, p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'vapi_call_id', p_name, 'call_id', 'our ' || p_name, 'org_id', pg_temp.org(p_org), 'success', true,
    'duplicate', false, 'told', false, 'new', false, 'cost_pence', 28, 'owed_pence', 0, 'duration_seconds', 30,
    'provider_duration_seconds', 30, 'error', null, 'message', null
) || p_changes;

create temporary table summed as
select
    wallet.sum_billings(
        jsonb_build_array(
            pg_temp.outcome_of('a', 'acme'),
            pg_temp.outcome_of('b', 'acme', '{"cost_pence": 56, "owed_pence": 36, "told": true}'),
            pg_temp.outcome_of('c', 'paris', '{"cost_pence": 5}'),
            pg_temp.outcome_of('d', 'acme', '{"duplicate": true, "provider_duration_seconds": 31, "owed_pence": 7}'),
            pg_temp.outcome_of(
                'e', 'acme', '{"success": false, "error": "price_not_found", "message": "No price.", "new": true}'
            ),
            pg_temp.outcome_of('f', 'nobody', '{"success": false, "org_id": null, "error": "organization_unknown"}')
        )
    ) as sums;
select pg_temp.answers(
    sums,
    '{
        "billed": 3, "billed_pence": 89, "billed_by_currency": {"gbp": 84, "eur": 5}, "owed_pence": 36,
        "failed_count": 2, "new": ["e"]
    }',
    'what was billed now is added up, by currency'
)
from summed;
select is(sums -> 'told', '2', 'told are what the webhook told, and what was billed under another id') from summed;
select is(
    sums -> 'duplicates',
    '[{"call_id": "our d", "vapi_call_id": "d", "duration_seconds": 30, "provider_duration_seconds": 31}]',
    'the latter with both durations'
)
from summed;
select is(
    sums -> 'failed',
    '[
        {"vapi_call_id": "e", "error": "price_not_found", "message": "No price."},
        {"vapi_call_id": "f", "error": "organization_unknown", "message": null}
    ]',
    'what failed with its reason'
)
from summed;

select * from finish();
rollback;
