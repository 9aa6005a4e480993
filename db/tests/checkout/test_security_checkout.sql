begin;
select plan(33);
\ir ../support.sql
\ir checkouts.sql

do $$
begin
    perform pg_temp.customer('acme');
    perform pg_temp.customer('globex');
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann');
    perform wallet.keep_payment_method(pg_temp.org('acme'), 'pm_acme');
    perform wallet.keep_payment_method(pg_temp.org('globex'), 'pm_globex');
end $$;

create temporary table begun (name, answer) as
select name, pg_temp.begin(name) from unnest(array['acme', 'globex']) as name;

create function pg_temp.as_acme(p_statement text) returns text
language sql
return pg_temp.outcome(
    'authenticated',
    jsonb_build_object('app_metadata', jsonb_build_object('org_id', pg_temp.org('acme')))::text,
    p_statement
);

-- A tenant reads what is its own, and what is offered to all.
select is(pg_temp.as_acme(statement), expected, format('a tenant: %s', statement))
from (
    values
    ('select string_agg(org_id::text, '','') from wallet.topups', pg_temp.org('acme')::text),
    ('select string_agg(id, '','') from wallet.payment_methods', 'pm_acme'),
    ('select count(*) from wallet.topup_limits', '3'),
    ('select string_agg(plan, '','') from wallet.topup_plans', 'big'),
    (format('select count(*) from wallet.topups where org_id = %L', pg_temp.org('globex')), '0')
) as read (statement, expected);

-- Nobody writes but by the functions.
select is(
    pg_temp.outcome(
        role, jsonb_build_object('app_metadata', jsonb_build_object('org_id', pg_temp.org('acme')))::text, statement
    ),
    '42501',
    format('%s may not %s', role, statement)
)
from
    unnest(array['authenticated', 'service_role', 'wallet_webhook']) as role,
    unnest(
        array[
            'update wallet.topups set amount_pence = 1000000',
            'insert into wallet.topup_plans (plan, name, currency, price_pence, credit_pence, updated_by)
             values (''free'', ''Free'', ''gbp'', 1, 1000000, ''me'')',
            'update wallet.topup_plans set price_pence = 1',
            'update wallet.topup_limits set max_pence = 1',
            'insert into wallet.payment_methods (org_id, id) values (gen_random_uuid(), ''pm_x'')',
            'delete from wallet.payment_methods'
        ]
    ) as statement;

-- The HTTP service begins and attaches; what is offered is for the backend to say.
select is(pg_temp.outcome('wallet_webhook', '', statement), expected, format('wallet_webhook: %s', left(statement, 60)))
from (
    values
    (
        (
            select format(
                'select wallet.attach_checkout_session(%L, %L, %L) ->> ''next''',
                answer ->> 'org_id', answer ->> 'topup_id', pg_temp.session_of(answer)
            )
            from begun
            where name = 'acme'
        ),
        'redirect'
    ),
    ('select wallet.set_topup_limits(''gbp'', 1, 2, ''me'')', '42501'),
    ('select wallet.set_topup_plan(''free'', ''Free'', ''gbp'', 1, 1000000, ''me'')', '42501')
) as called (statement, expected);

select is(
    pg_temp.outcome(role, '', 'select wallet.begin_topup(gen_random_uuid(), 5000, p_return_url => ''https://a'')'),
    '42501',
    format('%s begins no top-up', role)
)
from unnest(array['authenticated', 'wallet_worker', 'anon']) as role;

select ok(
    not has_function_privilege(role, oid, 'execute'), format('%s may not call %s', role, proname)
)
from
    pg_proc,
    unnest(array['authenticated', 'anon']) as role
where
    pronamespace = 'wallet'::regnamespace
    and proname in ('attach_checkout_session', 'attach_stripe_customer');

select * from finish();
rollback;
