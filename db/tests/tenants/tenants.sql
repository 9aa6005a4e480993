-- What the tests of the tenants' own functions share. Included with \ir after support.sql.

-- What a verified token of a user of this organization says.
create function pg_temp.claims(p_name text, p_changes jsonb default '{}') returns text
language sql
return (
    jsonb_build_object(
        'role', 'authenticated',
        'sub', 'user_' || p_name,
        'email', 'sam@' || p_name || '.example',
        'app_metadata', jsonb_build_object('org_id', pg_temp.org(p_name))
    ) || p_changes
)::text;

-- What a statement gives to whoever has such a token: its first value, or the SQLSTATE that refuses it.
create function pg_temp.as_user(p_claims text, p_statement text) returns text
language sql
return pg_temp.outcome('authenticated', p_claims, p_statement);

create function pg_temp.as_tenant(p_name text, p_call text) returns jsonb
language sql
return pg_temp.as_user(pg_temp.claims(p_name), 'select wallet.' || p_call)::jsonb;

-- As the code and field of an error, where a tenant misuses a function.
create function pg_temp.tenant_raises(
    p_name text, p_call text, p_sqlstate text, p_field text, p_description text
) returns text
language plpgsql
as $$
declare
    v_result text;
begin
    perform set_config('request.jwt.claims', pg_temp.claims(p_name), true);
    v_result := pg_temp.raises('select wallet.' || p_call, p_sqlstate, p_field, p_description);
    perform set_config('request.jwt.claims', '', true);
    return v_result;
end;
$$;

-- Tokens that name no organization of ours, each with what is wrong about it.
create temporary table nameless (claims, what) as
values
('', 'no claims'),
('{}', 'no metadata'),
('[]', 'a list'),
('"text"', 'a text'),
('null', 'null'),
('{"app_metadata": null}', 'null as metadata'),
('{"app_metadata": "text"}', 'a text as metadata'),
('{"app_metadata": []}', 'a list as metadata'),
('{"app_metadata": {}}', 'no organization'),
('{"app_metadata": {"org_id": null}}', 'null as organization'),
('{"app_metadata": {"org_id": ""}}', 'a blank organization'),
('{"app_metadata": {"org_id": 7}}', 'a number as organization'),
('{"app_metadata": {"org_id": true}}', 'a boolean as organization'),
('{"app_metadata": {"org_id": "acme"}}', 'a name as organization'),
('{"app_metadata": {"org_id": "%"}}', 'a pattern as organization'),
(format('{"app_metadata": {"org_id": ["%s"]}}', pg_temp.org('acme')), 'a list of organizations'),
(format('{"app_metadata": {"org_id": {"id": "%s"}}}', pg_temp.org('acme')), 'an object as organization'),
(format('{"app_metadata": {"org_id": "%s "}}', pg_temp.org('acme')), 'a blank behind the organization'),
(format('{"app_metadata": {"org_id": "%s-0"}}', pg_temp.org('acme')), 'more than an organization'),
(format('{"app_metadata": {"ORG_ID": "%s"}}', pg_temp.org('acme')), 'another spelling'),
(format('{"app_metadata": {"org": {"org_id": "%s"}}}', pg_temp.org('acme')), 'an organization that lies deeper'),
(format('{"org_id": "%s"}', pg_temp.org('acme')), 'an organization outside of the metadata'),
(format('{"user_metadata": {"org_id": "%s"}}', pg_temp.org('acme')), 'what the user may write itself'),
(
    format('{"app_metadata": {}, "user_metadata": {"app_metadata": {"org_id": "%s"}}}', pg_temp.org('acme')),
    'what the user may write itself, in disguise'
);

-- A call of a tenant's own function is refused to all of these tokens, and writes nothing.
create function pg_temp.refuses_nameless(p_call text) returns setof text
language plpgsql
as $$
declare
    v_before constant text := pg_temp.everything();
begin
    return next is_empty(
        format(
            $query$
                select what, pg_temp.as_user(claims, 'select wallet.' || %L) as answer
                from nameless
                where
                    pg_temp.as_user(claims, 'select wallet.' || %1$L)::jsonb
                    is distinct from '{
                        "success": false, "error": "organization_not_found", "org_id": null,
                        "message": "No organization is named."
                    }'::jsonb
            $query$,
            p_call
        ),
        'a token that names no organization is refused'
    );
    return next is(
        pg_temp.as_user('nonsense', 'select wallet.' || p_call), '22P02', 'claims that are no JSON raise'
    );
    return next alike(
        pg_temp.as_tenant('nobody', p_call)::text,
        format('%%"error": "organization_not_found"%%%s%%', pg_temp.org('nobody')) || '%',
        'an organization without a wallet is refused'
    );
    return next is(pg_temp.everything(), v_before, 'and nothing is written for any of them');
end;
$$;
