-- The login of the HTTP service: a machine of its own, that may become a tenant for a transaction and holds nothing of
-- a tenant's until then. What membership gives differs by version: PostgreSQL 15 asks the role, 16 and later the grant.
begin;
select plan(61);
\ir ../support.sql
\ir ../stripe/events.sql
\ir ../checkout/checkouts.sql
\ir ../tenants/tenants.sql
\ir two_tenants.sql

create role gateway_http login;
create role gateway_alone login;
create role machine_alone login;
grant wallet_webhook to gateway_http;
grant wallet_gateway to gateway_http;
grant wallet_gateway to gateway_alone;
grant wallet_webhook to machine_alone;

-- What a login gets from a statement, after it has taken this role: its first value, or the SQLSTATE that refuses it.
create function pg_temp.as_login(p_login text, p_role text, p_claims text, p_statement text) returns text
language plpgsql
as $$
declare
    v_self constant text := session_user;
    v_value text;
begin
    perform set_config('session_authorization', p_login, true);
    perform set_config('request.jwt.claims', p_claims, true);
    perform set_config('role', p_role, true);
    execute p_statement into v_value;
    perform set_config('session_authorization', v_self, true);
    return v_value;
exception when others then
    return sqlstate;
end;
$$;

select is(
    pg_temp.as_login('gateway_http', 'none', '', 'select current_user || '' '' || session_user'),
    'gateway_http gateway_http',
    'a login is itself'
);

-- By itself it is the machine alone.
select is(
    pg_temp.as_login('gateway_http', 'none', pg_temp.claims('acme'), statement), expected,
    format('by itself, whatever claims are set: %s', statement)
)
from (
    values
    ('select wallet.get_health() ->> ''success''', 'true'),
    ('select wallet.process_stripe_event(''{}'')', 'WL010'),
    ('select wallet.get_wallet_summary(pg_temp.org(''acme''))', '42501'),
    ('select wallet.list_transactions(pg_temp.org(''acme''))', '42501'),
    ('select wallet.export_transactions(pg_temp.org(''acme''))', '42501'),
    ('select wallet.wallet_history(pg_temp.org(''acme''), ''2026-01-01'', ''2026-01-02'')', '42501'),
    ('select wallet.begin_own_topup(5000, p_return_url => ''https://a'')', '42501'),
    ('select wallet.get_own_topup(gen_random_uuid())', '42501'),
    ('select wallet.get_own_auto_recharge()', '42501'),
    ('select wallet.set_own_auto_recharge(false)', '42501'),
    ('select wallet.quote_own_topup(2500)', '42501'),
    ('select wallet.list_own_topup_options()', '42501'),
    ('select wallet.own_org_id()', '42501'),
    ('select id from wallet.organizations', '42501'),
    ('select org_id from wallet.credit_transactions', '42501'),
    ('select org_id from wallet.topups', '42501'),
    ('select currency from wallet.topup_limits', '42501'),
    ('update wallet.organizations set wallet_balance_pence = 1', '42501')
) as tried (statement, expected);
select is_empty(
    $$
        select relname from pg_class
        where
            relnamespace = 'wallet'::regnamespace
            and relkind in ('r', 'v')
            and (
                has_any_column_privilege('gateway_http', oid, 'select, insert, update, references')
                or has_table_privilege('gateway_http', oid, 'delete, truncate, trigger')
            )
    $$,
    'it holds no privilege on any table, so that the service doesn''t refuse to start with it'
);
select set_eq(
    $$
        select proname from pg_proc
        where pronamespace = 'wallet'::regnamespace and has_function_privilege('gateway_http', oid, 'execute')
    $$,
    $$
        select proname from pg_proc
        where pronamespace = 'wallet'::regnamespace and has_function_privilege('wallet_webhook', oid, 'execute')
    $$,
    'it may call what wallet_webhook may call'
);

-- As a tenant it is no machine any more.
select is(
    pg_temp.as_login('gateway_http', 'authenticated', pg_temp.claims('acme'), statement), expected,
    format('as a tenant of acme: %s', statement)
)
from (
    values
    ('select current_user', 'authenticated'),
    ('select string_agg(id::text, '','') from wallet.organizations', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.credit_transactions', pg_temp.org('acme')::text),
    ('select wallet.get_wallet_summary(pg_temp.org(''acme'')) ->> ''success''', 'true'),
    ('select wallet.get_wallet_summary(pg_temp.org(''globex'')) ->> ''error''', 'organization_not_found'),
    ('select wallet.get_own_auto_recharge() ->> ''org_id''', pg_temp.org('acme')::text),
    ('select wallet.get_health()', '42501'),
    ('select wallet.process_stripe_event(''{}'')', '42501'),
    ('select wallet.get_auto_recharge(pg_temp.org(''acme''))', '42501'),
    (
        'select wallet.attach_checkout_session(pg_temp.org(''acme''), gen_random_uuid(), ''{}'')', '42501'
    ),
    ('select wallet.begin_topup(pg_temp.org(''globex''), 5000, p_return_url => ''https://a'')', '42501')
) as tried (statement, expected);
select is(
    pg_temp.as_login('gateway_http', 'authenticated', '', 'select count(*) from wallet.organizations'), '0',
    'as a tenant without claims it sees nothing'
);

-- Nobody else can it become.
select is(
    pg_temp.as_login(login, role, '', 'select current_user'), expected,
    format('%s: set role %s', login, role)
)
from (
    values
    ('gateway_http', 'authenticated', 'authenticated'),
    ('gateway_http', 'wallet_webhook', 'wallet_webhook'),
    ('gateway_http', 'wallet_gateway', 'wallet_gateway'),
    ('gateway_http', 'service_role', '42501'),
    ('gateway_http', 'wallet_worker', '42501'),
    ('gateway_http', 'wallet_owner', '42501'),
    ('gateway_http', 'anon', '42501'),
    ('gateway_http', 'postgres', '42501'),
    ('gateway_alone', 'authenticated', 'authenticated'),
    ('gateway_alone', 'wallet_webhook', '42501'),
    ('gateway_alone', 'service_role', '42501'),
    ('machine_alone', 'authenticated', '42501'),
    ('machine_alone', 'service_role', '42501')
) as become (login, role, expected);

-- The gateway itself, and a login that has nothing else.
select is(
    pg_temp.as_login('gateway_http', 'wallet_gateway', pg_temp.claims('acme'), statement), '42501',
    format('as wallet_gateway: %s', statement)
)
from
    unnest(
        array[
            'select id from wallet.organizations', 'select wallet.get_health()',
            'select wallet.get_wallet_summary(pg_temp.org(''acme''))', 'select wallet.get_own_auto_recharge()'
        ]
    ) as statement;
select is(
    pg_temp.as_login('gateway_alone', 'none', pg_temp.claims('acme'), statement), '42501',
    format('a login of the gateway alone: %s', statement)
)
from
    unnest(
        array[
            'select id from wallet.organizations', 'select wallet.get_health()',
            'select wallet.get_wallet_summary(pg_temp.org(''acme''))', 'select wallet.get_own_auto_recharge()',
            'select wallet.begin_topup(pg_temp.org(''acme''), 5000, p_return_url => ''https://a'')'
        ]
    ) as statement;

-- Nor can it make others its like.
select is(
    pg_temp.as_login('gateway_http', 'none', '', statement), '42501',
    format('the service''s login may not: %s', statement)
)
from
    unnest(
        array[
            'grant wallet_gateway to machine_alone', 'grant authenticated to machine_alone',
            'grant service_role to gateway_http', 'create role other', 'alter role wallet_gateway inherit'
        ]
    ) as statement;
select is(
    pg_temp.as_login('gateway_http', 'none', pg_temp.claims('acme'), 'select wallet.get_health() ->> ''success'''),
    'true',
    'after all of that it is itself again'
);

select * from finish();
rollback;
