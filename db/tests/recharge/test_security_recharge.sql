begin;
select plan(49);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

do $$
begin
    perform pg_temp.rechargeable('acme', 0);
    perform pg_temp.rechargeable('globex', 0);
end $$;

create function pg_temp.as_acme(p_role text, p_statement text) returns text
language sql
return pg_temp.outcome(
    p_role, jsonb_build_object('app_metadata', jsonb_build_object('org_id', pg_temp.org('acme')))::text, p_statement
);

-- A tenant sees what concerns it, and nothing of others.
select is(pg_temp.as_acme('authenticated', statement), pg_temp.org('acme')::text, format('a tenant: %s', statement))
from
    unnest(
        array[
            'select string_agg(org_id::text, '','') from wallet.recharge_settings',
            'select string_agg(org_id::text, '','') from wallet.recharge_attempts',
            'select string_agg(org_id::text, '','') from wallet.payment_methods',
            'select string_agg(org_id::text, '','') from wallet.topups'
        ]
    ) as statement;
select is(
    pg_temp.outcome('authenticated', claims, format('select count(*) from wallet.%s', relation)), '0',
    format('a token that says %L sees none of %s', claims, relation)
)
from
    unnest(array['', '{}', '{"app_metadata": {"org_id": null}}']) as claims,
    unnest(array['recharge_settings', 'recharge_attempts', 'payment_methods', 'topups']) as relation;
select is(
    pg_temp.outcome('service_role', '', format('select count(*) from wallet.%s', relation)), '2',
    format('a backend sees all %s', relation)
)
from unnest(array['recharge_settings', 'recharge_attempts', 'payment_methods', 'topups']) as relation;

-- Nobody writes but by the functions.
select is(pg_temp.as_acme(role, statement), '42501', format('%s may not: %s', role, statement))
from
    unnest(array['authenticated', 'service_role', 'wallet_worker']) as role,
    unnest(
        array[
            'update wallet.recharge_attempts set state = ''requested'', closed_at = null',
            'delete from wallet.recharge_attempts',
            'update wallet.recharge_settings set blocked_payment_method_id = null, blocked_because = null',
            'update wallet.topups set stripe_request = ''{}''',
            'select wallet.note_recharge(null, ''succeeded'')',
            'select wallet.request_recharge(pg_temp.org(''acme''))'
        ]
    ) as statement;

-- A worker claims and records, and may do nothing else with what it has claimed.
select is(pg_temp.outcome('wallet_worker', '', statement), expected, format('wallet_worker: %s', left(statement, 70)))
from (
    values
    ('select jsonb_array_length(wallet.claim_recharges(''worker'') -> ''recharges'')', '2'),
    (
        format(
            'select wallet.record_recharge_result(%L, %L, %L) ->> ''state''',
            pg_temp.org('acme'), (pg_temp.attempt('acme')).id,
            jsonb_build_object('payment_intent', pg_temp.recharge_intent('acme'))
        ),
        'succeeded'
    ),
    ('select 1 from wallet.recharge_attempts', '42501'),
    ('select wallet.resolve_recharge(pg_temp.org(''globex''), gen_random_uuid(), ''me'', ''x'')', '42501'),
    ('select wallet.set_auto_recharge(pg_temp.org(''globex''), true, ''me'')', '42501'),
    ('select wallet.set_default_payment_method(pg_temp.org(''globex''), ''pm_acme'', ''me'')', '42501'),
    ('select wallet.get_auto_recharge(pg_temp.org(''globex''))', '42501'),
    ('select wallet.process_stripe_event(''{}'')', '42501')
) as called (statement, expected);
select is(pg_temp.balance(pg_temp.org('acme')), 5000::bigint, 'what it has recorded is credited');

-- The others don't even that; a tenant may see and set its own.
select set_eq(
    $$
        select role || ': ' || proname
        from
            pg_proc,
            unnest(array['authenticated', 'anon', 'wallet_webhook']) as role
        where
            pronamespace = 'wallet'::regnamespace
            and proname ~ 'recharge|default_payment_method'
            and has_function_privilege(role, oid, 'execute')
    $$,
    array['authenticated: get_own_auto_recharge', 'authenticated: set_own_auto_recharge'],
    'the HTTP service has nothing to do with recharges, and a tenant with its own alone'
);

select pg_temp.books_are_right();

select * from finish();
rollback;
