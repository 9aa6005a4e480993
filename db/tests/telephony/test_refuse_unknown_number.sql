begin;
select plan(1);
\ir ../support.sql

select pg_temp.answers(
    wallet.refuse_unknown_number(pg_temp.org('acme'), 'k1'),
    jsonb_build_object(
        'success', false, 'error', 'phone_number_not_found', 'org_id', pg_temp.org('acme'), 'phone_number', 'k1',
        'message', format('Organization %s has no phone number k1.', pg_temp.org('acme'))
    ),
    'the refusal says what was looked for'
);

select * from finish();
rollback;
