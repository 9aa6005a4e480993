-- What each role may do to each table and view as a whole.
begin;
select plan(283);

create temporary table caller (role) as
values
('service_role'), ('wallet_webhook'), ('wallet_worker'), ('wallet_gateway'), ('authenticated'), ('anon'), ('public');

create temporary table relation as
select oid, relname::text as name, relkind as kind from pg_class
where relnamespace = 'wallet'::regnamespace and relkind in ('r', 'v', 'p', 'm', 'f');

create temporary table privilege (name) as
select unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
union all
select 'MAINTAIN' where current_setting('server_version_num')::integer >= 170000;

-- A tenant reads these as a whole, others by column: see test_security_columns.sql.
create temporary table may_access (role, relation) as
select 'service_role' as role, name as relation from relation
union all
select
    'authenticated',
    unnest(array['agents', 'credit_reservations', 'payment_methods', 'recharge_settings', 'sms_messages']);

select is(
    array(select name from privilege where has_table_privilege(caller.role, relation.oid, name)),
    case when m.role is null then array[]::text[] else array['SELECT'] end,
    format('%s on %s: %s', caller.role, relation.name, case when m.role is null then 'nothing' else 'to read' end)
)
from caller
cross join relation
left join may_access as m on m.role = caller.role and m.relation = relation.name
order by caller.role, relation.name;

select is_empty('select * from may_access where relation not in (select name from relation)', 'no table is forgotten');
select is_empty(
    $$
        select caller.role, relation.name, privilege.name
        from caller, relation, privilege
        where has_table_privilege(caller.role, relation.oid, privilege.name || ' WITH GRANT OPTION')
    $$,
    'nobody may pass a privilege on'
);

-- No role that isn't named above holds anything either.
select set_eq(
    $$
        select distinct pg_get_userbyid(granted.grantee)::text, granted.privilege_type
        from relation
        inner join pg_class as c using (oid)
        cross join aclexplode(c.relacl) as granted
        where granted.grantee <> c.relowner
    $$,
    $$values ('service_role', 'SELECT'), ('authenticated', 'SELECT')$$,
    'two roles have been granted tables, to read'
);
select set_eq(
    $$
        select distinct pg_get_userbyid(granted.grantee)::text, granted.privilege_type
        from relation
        inner join pg_attribute as a on a.attrelid = relation.oid
        cross join aclexplode(a.attacl) as granted
    $$,
    $$values ('authenticated', 'SELECT')$$,
    'and one has been granted columns'
);

-- Rows.
select set_eq(
    $$
        select tablename::text from pg_policies
        where schemaname = 'wallet' and roles = '{service_role}' and qual = 'true'
    $$,
    $$select name from relation where kind = 'r' and name not in ('topup_limits', 'topup_plans')$$,
    'service_role sees every row of every table'
);
select results_eq(
    $$
        select tablename, roles from pg_policies
        where schemaname = 'wallet' and qual = 'true' and roles <> '{service_role}'
        order by tablename
    $$,
    $$
        values
        ('topup_limits'::name, '{authenticated,service_role}'::name[]),
        ('topup_plans', '{authenticated,service_role}')
    $$,
    'tenants see every row of what is offered to all, and of nothing else'
);
select set_eq(
    $$
        select tablename::text, regexp_replace(qual, '\s+', ' ', 'g')
        from pg_policies
        where schemaname = 'wallet' and roles = '{authenticated}'
    $$,
    $$
        select
            relation,
            format(
                '(%s = ( SELECT (((NULLIF(current_setting(''request.jwt.claims''::text, true), ''''::text))::jsonb'
                || ' #>> ''{app_metadata,org_id}''::text[]))::uuid AS uuid))',
                case relation when 'organizations' then 'id' else 'org_id' end
            )
        from
            unnest(
                array[
                    'agents', 'calls', 'credit_reservations', 'credit_transactions', 'organizations', 'payment_methods',
                    'phone_numbers', 'recharge_attempts', 'recharge_settings', 'sms_messages', 'topups'
                ]
            ) as relation
    $$,
    'of everything else they see the rows of the organization that their token names'
);
select is_empty(
    $$
        select tablename, policyname from pg_policies
        where schemaname = 'wallet' and (permissive <> 'PERMISSIVE' or cmd <> 'SELECT' or with_check is not null)
    $$,
    'no policy lets anybody write'
);
select is_empty(
    $$
        select name from relation
        where
            has_any_column_privilege('authenticated', oid, 'select')
            and not exists (
                select from pg_policy where polrelid = relation.oid and 'authenticated'::regrole = any(polroles)
            )
    $$,
    'there is no table that a tenant may read, whose rows nothing is said of'
);

-- Beside the tables.
select results_eq(
    $$
        select
            role::text,
            has_schema_privilege(role, 'wallet', 'usage'), has_schema_privilege(role, 'wallet', 'create'),
            has_schema_privilege(role, 'wallet_migrations', 'usage'),
            has_schema_privilege(role, 'wallet_migrations', 'create')
        from caller
    $$,
    $$
        values
        ('service_role', true, false, false, false), ('wallet_webhook', true, false, false, false),
        ('wallet_worker', true, false, false, false), ('wallet_gateway', false, false, false, false),
        ('authenticated', true, false, false, false), ('anon', false, false, false, false),
        ('public', false, false, false, false)
    $$,
    'anon, PUBLIC and the gateway can''t even look into the schema; nobody can create in it, or see its migrations'
);
select is_empty(
    $$
        select c.role, s.relname
        from caller as c, pg_class as s
        where
            s.relnamespace = 'wallet'::regnamespace and s.relkind = 'S'
            and has_sequence_privilege(c.role, s.oid, 'usage, select, update')
    $$,
    'nobody may draw or see a sequence''s numbers'
);
select is_empty(
    $$select typname, typacl from pg_type where typnamespace = 'wallet'::regnamespace and typacl is not null$$,
    'types and domains are as PostgreSQL makes them: usable by whoever may look into the schema'
);
select is_empty(
    $$
        select typname from pg_type
        where typnamespace = 'wallet'::regnamespace and pg_get_userbyid(typowner) <> 'wallet_owner'
    $$,
    'and belong to wallet_owner'
);
select results_eq(
    $$
        select defaclobjtype, defaclacl from pg_default_acl
        where defaclrole = 'wallet_owner'::regrole
    $$,
    $$values ('f'::"char", '{wallet_owner=X/wallet_owner}'::aclitem[])$$,
    'what is added later belongs to its owner alone'
);

-- Roles.
select results_eq(
    $$
        select
            rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolcanlogin, rolinherit
        from pg_roles
        where rolname in ('wallet_owner', 'wallet_webhook', 'wallet_worker', 'wallet_gateway')
        order by rolname
    $$,
    $$
        values
        ('wallet_gateway'::name, false, false, false, false, false, false, false),
        ('wallet_owner', false, false, false, false, false, false, true),
        ('wallet_webhook', false, false, false, false, false, false, true),
        ('wallet_worker', false, false, false, false, false, false, true)
    $$,
    'no role of ours can log in or has an attribute of the cluster; the gateway inherits nothing'
);
select set_eq(
    $$
        select m.member::regrole::text, m.roleid::regrole::text, m.admin_option
        from pg_auth_members as m
        inner join (select role from caller union select 'wallet_owner') as ours on role = pg_get_userbyid(m.member)
    $$,
    $$values ('wallet_gateway', 'authenticated', false)$$,
    'none is a member of another, but the gateway, which may become a tenant'
);
select is_empty(
    $$
        select c.role, o.role
        from caller as c, (select role from caller union select 'wallet_owner') as o
        where c.role not in (o.role, 'public') and o.role <> 'public' and pg_has_role(c.role, o.role, 'usage')
    $$,
    'none holds another''s privileges'
);

select * from finish();
rollback;
