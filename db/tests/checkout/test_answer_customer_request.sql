begin;
select plan(8);
\ir ../support.sql

create function pg_temp.asked(p_changes jsonb default '{}') returns jsonb
language sql
return wallet.answer_customer_request(
    jsonb_populate_record(
        null::wallet.organizations,
        jsonb_build_object('id', pg_temp.org('acme'), 'name', 'Acme', 'email', 'sam@acme.example') || p_changes
    )
);

select pg_temp.answers(
    pg_temp.asked(),
    jsonb_build_object('success', true, 'next', 'create_customer', 'org_id', pg_temp.org('acme')),
    'a customer has to be created first'
);
select is(
    pg_temp.asked() #> '{request,params}',
    jsonb_build_object(
        'name', 'Acme', 'email', 'sam@acme.example', 'metadata', jsonb_build_object('org_id', pg_temp.org('acme'))
    ),
    'Stripe is told name, email and organization'
);
select is(
    pg_temp.asked('{"name": null, "email": null}') #> '{request,params}',
    jsonb_build_object('metadata', jsonb_build_object('org_id', pg_temp.org('acme'))),
    'and nothing that isn''t known'
);
select is(pg_temp.asked(), pg_temp.asked(), 'a retry says the same under the same key');
select alike(
    pg_temp.asked() #>> '{request,idempotency_key}', 'customer:' || pg_temp.org('acme') || ':%',
    'the key is the organization''s own'
);
select isnt(
    pg_temp.asked(changes::jsonb) #>> '{request,idempotency_key}',
    pg_temp.asked() #>> '{request,idempotency_key}',
    format('%s is asked for under another key: Stripe refuses other parameters under the same', changes)
)
from unnest(array['{"name": "Acme Ltd"}', '{"email": null}']) as changes;
select ok(
    length(pg_temp.asked() #>> '{request,idempotency_key}') <= 255, 'Stripe takes keys of at most 255 characters'
);

select * from finish();
rollback;
