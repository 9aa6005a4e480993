begin;
select plan(29);
\ir ../support.sql
\ir numbers.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 5000);
    perform pg_temp.open_wallet('other', 5000);
end $$;
create temporary table credential as
select
    pg_temp.credential('acme', 'managed', true) as managed,
    pg_temp.credential('acme', 'shared', true) as shared,
    pg_temp.credential('acme', 'own', false) as own,
    pg_temp.credential('other', 'managed', true) as foreign_one;
create temporary table number as
select
    pg_temp.get_number('acme', '+442079460001', managed) as managed,
    pg_temp.get_number('acme', '+442079460002', shared) as shared,
    pg_temp.get_number('acme', '+442079460003', shared) as shared_too,
    pg_temp.get_number('acme', '+442079460004', own) as own,
    pg_temp.get_number('acme', '+442079460005') as bare,
    pg_temp.get_number('other', '+442079460006', foreign_one) as foreign_one
from credential;
create temporary table agent as
select
    pg_temp.agent('acme', 'ann', managed) as ann,
    pg_temp.agent('acme', 'bob', managed) as bob,
    pg_temp.agent('acme', 'cid', shared) as cid,
    pg_temp.agent('acme', 'dan') as dan,
    pg_temp.agent('other', 'eve', foreign_one) as eve
from number;
create temporary table money as
select pg_temp.balance(pg_temp.org('acme')) as acme, pg_temp.balance(pg_temp.org('other')) as other;

-- A number with a managed credential and two agents.
create temporary table first_release as
select wallet.release_phone_number(pg_temp.org('acme'), managed, 'ann') as answer from number;
select is(
    f.answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'phone_number_id', n.managed,
        'released_number', '+442079460001', 'provider', 'twilio', 'provider_number_id', 'PN+442079460001',
        'deleted_credentials', jsonb_build_array(
            jsonb_build_object(
                'credential_id', c.managed, 'provider', 'vapi', 'provider_credential_id', 'managed'
            )
        ),
        'unlinked_agents', (select jsonb_agg(id order by id) from unnest(array[a.ann, a.bob]) as id)
    ),
    'a released number deletes its managed credential and unlinks its agents'
)
from first_release as f, number as n, credential as c, agent as a;
select pg_temp.answers(
    to_jsonb(p),
    '{"status": "released", "released_by": "ann", "credential_id": null, "provider_number_id": "PN+442079460001"}',
    'its row is kept, with who released it'
)
from wallet.phone_numbers as p, number as n
where p.id = n.managed;
select is_empty(
    'select from wallet.org_credentials where id = (select managed from credential)', 'the credential is gone'
);
select results_eq(
    'select name::text from wallet.agents where phone_number_id is not null order by name',
    $$values ('cid'), ('eve')$$, 'no other agent is unlinked'
);
select is(
    (select count(*) from wallet.agents), 5::bigint, 'and every agent is still there'
);

create temporary table before_replay as select pg_temp.everything() as state;
select is(
    wallet.release_phone_number(pg_temp.org('acme'), n.managed, 'bob'),
    first_release.answer || '{"duplicate": true}',
    'once more is a duplicate, and tells again what to delete'
)
from number as n, first_release;
select is(pg_temp.everything(), state, 'that writes nothing') from before_replay;

-- A credential that two numbers use.
select pg_temp.answers(
    wallet.release_phone_number(pg_temp.org('acme'), n.shared, 'ann'),
    jsonb_build_object(
        'success', true, 'deleted_credentials', '[]'::jsonb, 'unlinked_agents', jsonb_build_array(a.cid)
    ),
    'a managed credential that another number uses stays'
)
from number as n, agent as a;
select is(pg_temp.number_rows('+442079460003'), 'active with a credential', 'for the other number');
select pg_temp.answers(
    wallet.release_phone_number(pg_temp.org('acme'), n.shared_too, 'ann') #> '{deleted_credentials,0}',
    jsonb_build_object('credential_id', c.shared, 'provider_credential_id', 'shared'), 'and goes with the last one'
)
from number as n, credential as c;

-- The customer's own credential, and none.
select pg_temp.answers(
    wallet.release_phone_number(pg_temp.org('acme'), n.own, 'ann'),
    '{"success": true, "deleted_credentials": [], "unlinked_agents": []}', 'the customer''s own credential'
)
from number as n;
select isnt_empty('select from wallet.org_credentials where id = (select own from credential)', 'stays');
select pg_temp.answers(
    wallet.release_phone_number(pg_temp.org('acme'), n.bare, 'ann'),
    '{"success": true, "duplicate": false, "deleted_credentials": []}', 'a number without a credential is released'
)
from number as n;
select is(pg_temp.stale_references(), 0::bigint, 'nothing refers to what is gone');
select is(pg_temp.balance(pg_temp.org('acme')), acme, 'and no money is moved') from money;

-- Refusals.
do $$
begin
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460007', 'k7');
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460008', 'k8');
    perform wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k8', 'taken');
end $$;
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.release_phone_number(pg_temp.org('acme'), n.foreign_one, 'ann'),
    jsonb_build_object('success', false, 'error', 'phone_number_not_found', 'phone_number', n.foreign_one),
    'another organization''s number is refused'
)
from number as n;
select pg_temp.answers(
    wallet.release_phone_number(pg_temp.org('nobody'), n.foreign_one, 'ann'),
    '{"success": false, "error": "organization_not_found"}', 'so is an unknown organization'
)
from number as n;
select pg_temp.answers(
    wallet.release_phone_number(pg_temp.org('acme'), id, 'ann'),
    jsonb_build_object('success', false, 'error', 'number_not_active', 'status', status),
    'a number cannot be released that is ' || status
)
from wallet.phone_numbers
where idempotency_key in ('k7', 'k8');
select is(pg_temp.everything(), state, 'refusals write nothing') from before_refusals;
select is(pg_temp.number_rows('+442079460006'), 'active with a credential', 'the other organization keeps its number');

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    $$select wallet.release_phone_number(null, gen_random_uuid(), 'ann')$$, 'WL001', 'org_id',
    'an organization is required'
);
select pg_temp.raises(
    $$select wallet.release_phone_number(pg_temp.org('acme'), null, 'ann')$$, 'WL001', 'phone_number_id',
    'a number is required'
);
select pg_temp.raises(
    $$select wallet.release_phone_number(pg_temp.org('acme'), gen_random_uuid(), null)$$, 'WL001', 'actor',
    'who does it is required'
);
select pg_temp.raises(
    $$select wallet.release_phone_number(pg_temp.org('acme'), gen_random_uuid(), ' ')$$, 'WL005', 'actor',
    'nobody is misuse'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    pg_temp.outcomes(
        format(
            'select wallet.release_phone_number(%L, %L, ''x'') ->> ''released_number''',
            pg_temp.org('other'), n.foreign_one
        )
    ),
    '42501 42501 +442079460006 42501 42501', 'it is for backends'
)
from number as n;
select is(pg_temp.stale_references(), 0::bigint, 'nothing refers to what is gone');
select pg_temp.books_are_right();

select * from finish();
rollback;
