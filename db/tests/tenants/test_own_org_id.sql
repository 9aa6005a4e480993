begin;
select plan(37);
\ir ../support.sql
\ir tenants.sql

select is(wallet.own_org_id(), null, 'claims that nobody has set name no organization');

-- The organization that these claims name, as the functions see it that run as wallet_owner.
create function pg_temp.own(p_claims text) returns text
language sql
return pg_temp.outcome('wallet_owner', p_claims, 'select wallet.own_org_id()');

select is(
    pg_temp.own(pg_temp.claims('acme')), pg_temp.org('acme')::text, 'the organization is that of app_metadata.org_id'
);
select is(
    pg_temp.own(format('{"app_metadata": {"org_id": "%s"}}', upper(pg_temp.org('acme')::text))),
    pg_temp.org('acme')::text,
    'its letters may be large'
);
select is(
    pg_temp.own(
        format(
            '{"org_id": "%1$s", "user_metadata": {"org_id": "%1$s"}, "app_metadata": {"org_id": "%2$s"}}',
            pg_temp.org('globex'), pg_temp.org('acme')
        )
    ),
    pg_temp.org('acme')::text,
    'whatever stands elsewhere'
);
select is(
    pg_temp.own(
        format(
            '{"app_metadata": {"org_id": "%s"}, "app_metadata": {"org_id": "%s"}}',
            pg_temp.org('globex'), pg_temp.org('acme')
        )
    ),
    pg_temp.org('acme')::text,
    'of two the last counts, as everywhere in jsonb'
);
select is(
    pg_temp.own(format('{"app_metadata": {"org_id": "%s"}}', pg_temp.org('nobody'))), pg_temp.org('nobody')::text,
    'whether it has a wallet is for others to find out'
);
select is(pg_temp.own(claims), null, format('none where the token has %s', what)) from nameless;
select is(pg_temp.own(claims), '22P02', format('claims that are no JSON raise: %s', claims))
from unnest(array['nonsense', ' ', '{"app_metadata": {"org_id": ']) as claims;

-- As row level security sees it: both or none.
do $$ begin perform pg_temp.open_wallet('acme'); end $$;
select is(
    pg_temp.as_user(claims, 'select id from wallet.organizations'), pg_temp.own(claims),
    'row level security shows the very organization'
)
from (select pg_temp.claims('acme') as claims) as token;
select is_empty(
    $$
        select claims, pg_temp.as_user(claims, 'select id from wallet.organizations') as seen from nameless
        where pg_temp.as_user(claims, 'select id from wallet.organizations') not in ('22P02')
    $$,
    'and none where none is named'
);

select ok(
    not has_function_privilege(role, 'wallet.own_org_id()', 'execute'), format('%s has no need to call it', role)
)
from unnest(array['authenticated', 'service_role']) as role;

select * from finish();
rollback;
