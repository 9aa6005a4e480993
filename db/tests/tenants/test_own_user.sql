begin;
select plan(10);
\ir ../support.sql
\ir tenants.sql

create function pg_temp.own(p_claims text) returns text
language sql
return pg_temp.outcome('wallet_owner', p_claims, 'select wallet.own_user()');

select is(pg_temp.own(pg_temp.claims('acme')), 'user:user_acme', 'a user is named by the token''s sub');
select is(pg_temp.own(claims), expected, format('of %s it is %s', claims, expected))
from (
    values
    ('', 'user:'),
    ('{}', 'user:'),
    ('{"sub": null}', 'user:'),
    ('{"sub": ""}', 'user:'),
    ('{"sub": 7}', 'user:7'),
    ('{"email": "sam@acme.example", "user_metadata": {"sub": "other"}}', 'user:')
) as token (claims, expected);
select is(
    pg_temp.own(jsonb_build_object('sub', repeat('x', 200))::text), 'user:' || repeat('x', 200),
    'two hundred characters fit'
);
select is(
    pg_temp.own(jsonb_build_object('sub', repeat('x', 5000))::text), 'user:' || repeat('x', 200),
    'more are cut off, for an actor has to fit its column'
);
select lives_ok(
    format('select wallet.require_text(''p_actor'', %L)', pg_temp.own(claims)), 'even no user at all is a usable actor'
)
from (values ('{}')) as token (claims);

select * from finish();
rollback;
