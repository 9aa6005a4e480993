begin;
select plan(22);
\ir ../support.sql
\ir numbers.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 2000);
    perform pg_temp.open_wallet('other', 2000);
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1');
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460001', 'k2');
end $$;
create temporary table credential as
select
    pg_temp.credential('acme', 'cred', true) as id,
    pg_temp.credential('acme', 'another', true) as another,
    pg_temp.credential('other', 'cred', true) as foreign_id;

-- Refusals.
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('nobody'), 'k1', 'PN1'),
    '{"success": false, "error": "organization_not_found"}', 'an unknown organization is refused'
);
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('other'), 'k1', 'PN1'),
    '{"success": false, "error": "phone_number_not_found", "phone_number": "k1"}', 'so is an unknown key'
);
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', 'PN1', foreign_id),
    jsonb_build_object('success', false, 'error', 'credential_not_found', 'credential_id', foreign_id),
    'and a credential of another organization'
)
from credential;
select is(pg_temp.everything(), state, 'refusals write nothing') from before_refusals;

create temporary table completion as
select wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', 'PN1', id) as answer from credential;
select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'number', '+442079460000', 'status', 'active', 'provider', 'twilio',
        'provider_number_id', 'PN1', 'credential_id', c.id, 'price_pence', 395
    ),
    'a number that was bought is active'
)
from completion, credential as c;
select is(pg_temp.number_rows('+442079460000'), 'active with a credential', 'which is recorded');

create temporary table before_replay as select pg_temp.everything() as state;
select is(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', 'PN1', c.id), answer || '{"duplicate": true}', 'once'
)
from completion, credential as c;
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', 'PN2', c.id),
    '{"success": false, "error": "idempotency_conflict", "original_provider_number_id": "PN1",
      "attempted_provider_number_id": "PN2"}',
    'another id at the provider is a conflict'
)
from credential as c;
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', 'PN1', c.another),
    jsonb_build_object(
        'error', 'idempotency_conflict', 'original_credential_id', c.id, 'attempted_credential_id', c.another
    ),
    'so is another credential'
)
from credential as c;
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', 'PN1'), '{"error": "idempotency_conflict"}', 'or none'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_replay;

select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k2', repeat('P', 255)),
    '{"success": true, "duplicate": false, "credential_id": null}', 'a number needs no credential'
);
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k2', repeat('P', 255)),
    '{"success": true, "duplicate": true, "credential_id": null}', 'and its completion can be told again'
);
do $$
begin
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460002', 'k3');
    perform wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k3', 'taken');
    perform wallet.release_phone_number(pg_temp.org('acme'), id, 'test')
    from wallet.phone_numbers
    where idempotency_key = 'k1';
end $$;
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k3', 'PN3'),
    '{"success": false, "error": "number_not_provisioning", "status": "failed"}',
    'what failed, and was given back, is not completed'
);
select pg_temp.answers(
    wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', 'PN1'),
    '{"success": false, "error": "number_not_provisioning", "status": "released"}', 'nor what was released'
);

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    $$select wallet.complete_phone_provisioning(null, 'k1', 'PN1')$$, 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    $$select wallet.complete_phone_provisioning(pg_temp.org('acme'), null, 'PN1')$$, 'WL001', 'idempotency_key',
    'a key is required'
);
select pg_temp.raises(
    $$select wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', null)$$, 'WL001', 'provider_number_id',
    'an id at the provider is required'
);
select pg_temp.raises(
    $$select wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', ' ')$$, 'WL005', 'provider_number_id',
    'a blank one is misuse'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    pg_temp.outcomes(
        $q$select wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k3', 'PN1') ->> 'error'$q$
    ),
    '42501 42501 number_not_provisioning 42501 42501', 'it is for backends'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
