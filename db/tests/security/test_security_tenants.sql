-- Organization A learns nothing of B's, by no table and no function that it may use, and can change nothing of it.
begin;
select plan(203);
\ir ../support.sql
\ir ../stripe/events.sql
\ir ../checkout/checkouts.sql
\ir ../tenants/tenants.sql
\ir two_tenants.sql

-- Tables: every one that has a column for tenants, as the catalog says.
create temporary table relation as
select
    oid,
    relname::text as name,
    array(
        select attname::text from pg_attribute
        where attrelid = c.oid and attnum > 0 and has_column_privilege('authenticated', attrelid, attnum, 'select')
    ) as columns,
    array(
        select attname::text from pg_attribute
        where attrelid = c.oid and attnum > 0 and not attisdropped
    ) as all_columns
from pg_class as c
where relnamespace = 'wallet'::regnamespace and relkind in ('r', 'v', 'p', 'm', 'f');

-- Its rows, as far as a tenant may see their columns.
create function pg_temp.rows_of(p_relation text, p_columns text[]) returns text
language sql
return format(
    'select string_agg(to_jsonb(t)::text, E''\n'' order by to_jsonb(t)::text) from (select %s from wallet.%I) as t',
    (select string_agg(quote_ident(c), ', ') from unnest(p_columns) as c), p_relation
);

create temporary table seen as
select
    name,
    pg_temp.as_acme(pg_temp.rows_of(name, columns)) as of_acme,
    pg_temp.outcome('service_role', '', pg_temp.rows_of(name, columns)) as of_all,
    name in ('topup_limits', 'topup_plans') as is_shared
from relation
where cardinality(columns) > 0;

select cmp_ok((select count(*) from seen), '=', 13::bigint, 'a tenant may read thirteen tables');
select ok(
    of_acme ~ case when is_shared then 'gbp|pence' else pg_temp.org('acme')::text end,
    format('it sees its own rows of %s', name)
)
from seen
where name <> 'topup_plans';
select ok(
    of_all ~ pg_temp.org('globex')::text and of_acme !~ pg_temp.org('globex')::text and of_acme !~* 'globex',
    format('and none of another organization''s, which are there: %s', name)
)
from seen
where not is_shared;
select is(
    pg_temp.as_acme(pg_temp.rows_of(name, all_columns)),
    case
        when cardinality(columns) = cardinality(all_columns) then pg_temp.as_acme(pg_temp.rows_of(name, columns))
        else '42501'
    end,
    format('%s of %s: %s', cardinality(columns), cardinality(all_columns), name)
)
from relation;
select is(
    pg_temp.as_acme(format('select %I from wallet.%I', hidden, name)), '42501',
    format('not even by itself: %s.%s', name, hidden)
)
from (
    values
    ('organizations', 'total_profit_pence'), ('organizations', 'stripe_customer_id'),
    ('organizations', 'last_entry_hash'),
    ('credit_transactions', 'provider_cost_pence'), ('credit_transactions', 'gross_profit_pence'),
    ('credit_transactions', 'markup_percent'), ('credit_transactions', 'cost_breakdown'),
    ('credit_transactions', 'idempotency_key'), ('credit_transactions', 'entry_hash'),
    ('topups', 'stripe_request'), ('topups', 'request_key'), ('topups', 'idempotency_key'),
    ('calls', 'provider_cost_pence'), ('recharge_attempts', 'last_error'), ('topup_limits', 'updated_by')
) as hiding (name, hidden);

select is_empty(
    format(
        $$
            select what, pg_temp.as_user(claims, 'select count(*) from wallet.%1$I') as seen from nameless
            where pg_temp.as_user(claims, 'select count(*) from wallet.%1$I') not in ('0', '22P02')
        $$,
        name
    ),
    format('whoever names no organization sees nothing of %s', name)
)
from seen
where not is_shared;

-- What a query could be tricked into.
create function pg_temp.overhear(p_value anyelement) returns boolean
language plpgsql cost 0.0001
as $$
begin
    insert into pg_temp.overheard values (p_value::text);
    return true;
end;
$$;
create temporary table overheard (value text);
grant all on overheard to authenticated;
select is(
    pg_temp.as_acme(format('select count(*) from wallet.%I as t where pg_temp.overhear(%s)', name, what)),
    pg_temp.as_acme(format('select count(*) from wallet.%I', name)),
    format('a condition that listens hears no other rows of %s', name)
)
from (
    values ('organizations', 'id'), ('credit_transactions', 'org_id'), ('topups', 'checkout_url')
) as listened (name, what);
select is_empty(
    $$select * from overheard where value ~ pg_temp.org('globex')::text$$,
    'nothing of another organization was overheard'
);
select isnt_empty('select * from overheard', 'though its own was');
create function pg_temp.count_without_row_security() returns bigint
language sql
set row_security = off
return (select count(*) from wallet.organizations);

select is(pg_temp.as_acme(statement), expected, format('nor by: %s', statement))
from (
    values
    (format('select count(*) from wallet.credit_transactions where org_id = %L', pg_temp.org('globex')), '0'),
    (format('select count(*) from wallet.topups where org_id <> %L', pg_temp.org('acme')), '0'),
    ('select count(*) from wallet.organizations where wallet_balance_pence is not null or true', '1'),
    ('select count(*) from wallet.organizations as a, wallet.organizations as b where a.id <> b.id', '0'),
    ('table wallet.prices', '42501'),
    ('select count(*) from pg_stats where schemaname = ''wallet'' and tablename = ''organizations''', '0'),
    ('select 1 from pg_statistic', '42501'),
    ('select nextval(''wallet.prices_id_seq'')', '42501'),
    ('select last_value from wallet.prices_id_seq', '42501'),
    ('select 1 from wallet_migrations.migration_checksums', '42501'),
    ('select pg_temp.count_without_row_security()', '42501')
) as tried (statement, expected);

-- Functions: each that a tenant may call, with everything of B's that can be named.
create temporary table target as
select org_id, id as topup_id from wallet.topups
where org_id = pg_temp.org('globex') and kind = 'wallet_topup' and stripe_request is not null;

create temporary table unknown (org_id, topup_id) as values (gen_random_uuid(), gen_random_uuid());

-- What a parameter is given: of an organization's own, or any value that it takes.
create temporary table given (parameter, value) as
values
('p_before', '10'),
('p_limit', '500'),
('p_types', 'null'),
('p_from', '''2020-01-01'''),
('p_to', '''2020-12-01'''),
('p_at', '''infinity'''),
('p_time_zone', '''UTC'''),
('p_day', '''2026-01-01'''),
('p_entry_number', '1'),
('p_currency', '''gbp'''),
('p_amount_pence', '7000'),
('p_usd_cents', 'null'),
('p_plan', 'null'),
('p_request_key', '''key of globex'''),
('p_return_url', '''https://acme.example/wallet'''),
('p_enabled', 'false'),
('p_threshold_pence', '100'),
('p_type', '''topup'''),
('p_error', '''error'''),
('p_message', '''message'''),
('p_numbers', '''{}'''),
('p_sqlstate', '''WL001'''),
('p_field', '''field'''),
('p_expected', '''expected'''),
('p_got', 'null'),
('p_value', '1');

create function pg_temp.call_of(p_function oid, p_org_id uuid, p_topup_id uuid) returns text
language sql
as $$
    with value as (
        select parameter, value from given
        union all
        values ('p_org_id', quote_literal(p_org_id)), ('p_topup_id', quote_literal(p_topup_id))
    )

    select format('select wallet.%I(%s)::text', p.proname, string_agg(parameter || ' => ' || value, ', '))
    from pg_proc as p
    left join value on parameter = any(p.proargnames[:p.pronargs])
    where p.oid = p_function
    group by p.proname
$$;

create temporary table callable as
select oid, proname::text as name, coalesce(proargnames[:pronargs], '{}') as parameters from pg_proc
where pronamespace = 'wallet'::regnamespace and has_function_privilege('authenticated', oid, 'execute');

select is_empty(
    $$
        select name, parameter
        from callable, unnest(parameters) as parameter
        where parameter not in ('p_org_id', 'p_topup_id') and parameter not in (select g.parameter from given as g)
    $$,
    'a value is known for every parameter of every function that a tenant may call'
);
select cmp_ok((select count(*) from callable), '>', 15::bigint, 'there are functions to call');

create function pg_temp.answer_to(p_claims text, p_call text) returns text
language plpgsql
as $$
declare
    v_answer text;
begin
    v_answer := pg_temp.as_user(p_claims, p_call);
    raise sqlstate 'UNDO0';
exception
    when sqlstate 'UNDO0' then
        return v_answer;
end;
$$;

-- Where it doesn't say: to the id of another organization, or of its top-up, a function answers as to one that is
-- nobody's.
create temporary table answered as
select
    c.name,
    pg_temp.answer_to(pg_temp.claims('acme'), pg_temp.call_of(oid, t.org_id, t.topup_id)) as to_theirs,
    pg_temp.answer_to(pg_temp.claims('acme'), pg_temp.call_of(oid, u.org_id, u.topup_id)) as to_nobodys,
    pg_temp.answer_to(pg_temp.claims('globex'), pg_temp.call_of(oid, t.org_id, t.topup_id)) as to_its_own,
    (c.parameters && array['p_org_id', 'p_topup_id']) as is_named
from callable as c, target as t, unknown as u;

create function pg_temp.without_ids(p_answer text) returns text
language sql
return (
    select
        regexp_replace(
            replace(replace(replace(replace(
                p_answer, t.org_id::text,
                'ORG'), t.topup_id::text, 'TOPUP'), u.org_id::text, 'ORG'), u.topup_id::text, 'TOPUP'
            ),
            '"(topup_id|created_at|at|idempotency_key|expires_at)": "[^"]*"|topup_id=[0-9a-f-]+', '', 'g'
        )
    from target as t, unknown as u
);

select is(
    pg_temp.without_ids(to_theirs), pg_temp.without_ids(to_nobodys),
    format('%s says of another organization what it says of none', name)
)
from answered;
select unalike(lower(to_theirs), '%' || hidden || '%', format('%s says nothing of %s', name, hidden))
from answered, unnest(array['globex', '7777']) as hidden
where is_named or name ~ 'own_';
select isnt(
    pg_temp.without_ids(to_its_own), pg_temp.without_ids(to_theirs),
    format('%s tells the organization itself something else', name)
)
from answered
where (is_named or name ~ 'own_') and name <> 'refuse_unknown_organization';

-- And once it has called them all, everything of the other organization is as it was.
create function pg_temp.everything_of(p_name text) returns text
language plpgsql
as $$
declare
    v_relation text;
    v_rows text;
    v_all text := '';
begin
    for v_relation in select relname from pg_class where relnamespace = 'wallet'::regnamespace and relkind = 'r' loop
        execute format(
            'select string_agg(t::text, E''\n'' order by t::text) from wallet.%I as t where t::text ~ %L',
            v_relation, pg_temp.org(p_name)
        ) into v_rows;
        v_all := concat(v_all, v_relation, ' ', v_rows, E'\n');
    end loop;
    return v_all;
end;
$$;

create temporary table before as
select pg_temp.everything_of('acme') as of_acme, pg_temp.everything_of('globex') as of_globex;
create temporary table changed as
select pg_temp.as_acme(pg_temp.call_of(oid, org_id, topup_id)) as answer from callable, target;

select isnt(pg_temp.everything_of('acme'), of_acme, 'a tenant changes what is its own') from before;
select unalike(
    lower(pg_temp.as_acme('select ' || call)), '%' || hidden || '%', format('%s shows a tenant no %s', call, hidden)
)
from
    unnest(
        array[
            'wallet.list_transactions(pg_temp.org(''acme''))::text',
            'wallet.get_wallet_summary(pg_temp.org(''acme''))::text',
            'wallet.export_transactions(pg_temp.org(''acme''))::text',
            'wallet.wallet_statement(pg_temp.org(''acme''), ''-infinity'', ''infinity'')::text'
        ]
    ) as call,
    unnest(array['provider_cost', 'gross_profit', 'markup', 'cost_breakdown', 'entry_hash', 'cus\_', 'pm\_']) as hidden;
select is(
    pg_temp.as_acme('select wallet.get_wallet_summary(pg_temp.org(''acme'')) ->> ''total_profit_pence'''), null,
    'nor the margin'
);
select is(pg_temp.everything_of('globex'), of_globex, 'and nothing of another organization') from before;

select * from finish();
rollback;
