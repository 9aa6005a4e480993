begin;
select plan(29);
\ir ../support.sql

create function pg_temp.service(p_service text) returns text
language sql stable
return (
    select format(
        '%s priced as %s in %s as %s, debt %s, %s, by %s',
        service, priced_as, measured_in, entry_type, uses_debt_limit, charged_by, updated_by
    )
    from wallet.services
    where service = p_service
);

select is(
    wallet.set_service('archive', 'token', 'license', false, 'ann'),
    '{
        "success": true, "duplicate": false, "service": "archive", "measured_in": "token", "entry_type": "license",
        "uses_debt_limit": false
    }',
    'a service is defined'
);
select is(
    pg_temp.service('archive'), 'archive priced as archive in token as license, debt f, charge_usage, by ann',
    'and kept, with who did it'
);
create temporary table before_replay as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.set_service('archive', 'token', 'license', false, 'bob'), '{"success": true, "duplicate": true}',
    'the same again changes nothing'
);
select is(pg_temp.everything(), state, 'and writes nothing') from before_replay;
select pg_temp.answers(
    wallet.set_service('archive', 'query', 'knowledge_base_deduction', true, 'bob'),
    '{"success": true, "duplicate": false}',
    'a service that has no price yet can be measured otherwise'
);
select is(
    pg_temp.service('archive'),
    'archive priced as archive in query as knowledge_base_deduction, debt t, charge_usage, by bob',
    'and booked otherwise'
);
do $$ begin perform wallet.set_price('archive', 'query', 2, 'gbp', 'ann'); end $$;
select pg_temp.answers(
    wallet.set_service('archive', 'query', 'license', false, 'ann'), '{"success": true, "duplicate": false}',
    'one that has a price can be booked otherwise'
);
select pg_temp.answers(
    wallet.charge_usage(pg_temp.open_wallet('acme', 100), 'archive', 3, 'k'),
    '{"success": true, "amount_pence": 6, "balance_after": 94}',
    'and is charged'
);
select pg_temp.answers(
    wallet.set_service('knowledge_base_query', 'query', 'knowledge_base_deduction', false, 'ann'),
    '{"success": true, "duplicate": false, "uses_debt_limit": false}',
    'so can the one that is there from the start'
);

-- Refusals.
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.set_service('archive', 'token', 'license', false, 'ann'),
    '{"success": false, "error": "service_has_prices", "service": "archive", "measured_in": "query"}',
    'but it can''t be measured otherwise: its prices would mean something else'
);
select pg_temp.answers(
    wallet.set_service(name, 'query', 'license', true, 'ann'),
    jsonb_build_object('success', false, 'error', 'service_built_in', 'service', service, 'charged_by', charged_by),
    name || ' is built in'
)
from (
    values
    ('call', 'call', 'bill_call'),
    ('sms', 'sms', 'charge_sms'),
    ('phone_provisioning', 'phone_provisioning', 'provision_phone_number'),
    ('phone_number', 'phone_provisioning', 'provision_phone_number')
) as built_in (name, service, charged_by);

-- Misuse.
select pg_temp.raises(
    format('select wallet.set_service(%L, %L, %L, %L, %L)', service, measured_in, entry_type, debt, actor),
    sqlstate, field, format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 'query', 'license', true, 'ann', 'WL001', 'p_service'),
    (' ', 'query', 'license', true, 'ann', 'WL005', 'p_service'),
    ('x', null, 'license', true, 'ann', 'WL001', 'p_measured_in'),
    ('x', 'minute', 'license', true, 'ann', 'WL006', 'p_measured_in'),
    ('x', 'query', null, true, 'ann', 'WL001', 'type'),
    ('x', 'query', 'yacht', true, 'ann', 'WL003', 'type'),
    ('x', 'query', 'topup', true, 'ann', 'WL004', 'type'),
    ('x', 'query', 'call_deduction', true, 'ann', 'WL006', 'p_entry_type'),
    ('x', 'query', 'adjustment', true, 'ann', 'WL006', 'p_entry_type'),
    ('x', 'query', 'topup_reversal', true, 'ann', 'WL006', 'p_entry_type'),
    ('x', 'query', 'license', null, 'ann', 'WL001', 'p_uses_debt_limit'),
    ('x', 'query', 'license', true, null, 'WL001', 'p_actor'),
    ('x', 'query', 'license', true, '', 'WL005', 'p_actor')
) as misuse (service, measured_in, entry_type, debt, actor, sqlstate, field);
select is(pg_temp.everything(), state, 'refusals and misuse write nothing') from before_refusals;
select is(
    array[
        pg_temp.outcome(
            'service_role', '', $$select wallet.set_service('x', 'query', 'license', true, 'a') ->> 'success'$$
        ),
        pg_temp.outcome('authenticated', '', $$select wallet.set_service('x', 'query', 'license', true, 'a')$$),
        pg_temp.outcome('service_role', '', $$update wallet.services set measured_in = 'query'$$)
    ],
    array['true', '42501', '42501'],
    'backends define services, by this function alone'
);

select * from finish();
rollback;
