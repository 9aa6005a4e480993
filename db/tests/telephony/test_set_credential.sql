begin;
select plan(15);
\ir ../support.sql
\ir numbers.sql

do $$ begin perform pg_temp.open_wallet('acme', 2000); perform pg_temp.open_wallet('other'); end $$;

create temporary table credential as
select wallet.set_credential(pg_temp.org('acme'), 'vapi', 'cred', true) as answer;
select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'provider', 'vapi',
        'provider_credential_id', 'cred', 'managed', true
    ),
    'a credential is recorded'
)
from credential;
select pg_temp.answers(
    to_jsonb(c),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'id', answer -> 'credential_id', 'provider', 'vapi',
        'provider_credential_id', 'cred', 'managed', true
    ),
    'by its id at the provider'
)
from wallet.org_credentials as c, credential;

create temporary table before_replay as select pg_temp.everything() as state;
select is(
    wallet.set_credential(pg_temp.org('acme'), 'vapi', 'cred', true), answer || '{"duplicate": true}', 'once'
)
from credential;
select pg_temp.answers(
    wallet.set_credential(pg_temp.org('nobody'), 'vapi', 'cred', true),
    '{"success": false, "error": "organization_not_found"}', 'an unknown organization is refused'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_replay;

select is(
    wallet.set_credential(pg_temp.org('acme'), 'vapi', 'cred', false),
    answer || '{"managed": false}', 'whose it is can be corrected'
)
from credential;
select pg_temp.answers(
    wallet.release_phone_number(
        pg_temp.org('acme'),
        pg_temp.get_number('acme', '+442079460000', (answer ->> 'credential_id')::uuid),
        'test'
    ),
    '{"success": true, "deleted_credentials": []}', 'and counts when its number is released'
)
from credential;
select isnt(
    wallet.set_credential(pg_temp.org('acme'), 'twilio', 'cred', true) ->> 'credential_id', answer ->> 'credential_id',
    'another provider''s is another one'
)
from credential;
select isnt(
    wallet.set_credential(pg_temp.org('other'), 'vapi', 'cred', true) ->> 'credential_id', answer ->> 'credential_id',
    'and so is another organization''s'
)
from credential;

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    $$select wallet.set_credential(null, 'vapi', 'c', true)$$, 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    $$select wallet.set_credential(pg_temp.org('acme'), ' ', 'c', true)$$, 'WL005', 'provider', 'a provider is required'
);
select pg_temp.raises(
    $$select wallet.set_credential(pg_temp.org('acme'), 'vapi', null, true)$$, 'WL001', 'provider_credential_id',
    'an id is required'
);
select pg_temp.raises(
    $$select wallet.set_credential(pg_temp.org('acme'), 'vapi', 'c', null)$$, 'WL001', 'managed',
    'whose it is is required'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    pg_temp.outcomes($q$select wallet.set_credential(pg_temp.org('acme'), 'vapi', 'cred', false) ->> 'success'$q$),
    '42501 42501 true 42501 42501', 'it is for backends'
);

select * from finish();
rollback;
