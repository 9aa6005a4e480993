begin;
select plan(1);
\ir ../support.sql

select is(
    wallet.refuse_unknown_recharge(pg_temp.org('acme'), pg_temp.org('attempt')),
    jsonb_build_object(
        'success', false, 'error', 'recharge_not_found',
        'message',
        format('Organization %s has no recharge attempt %s.', pg_temp.org('acme'), pg_temp.org('attempt')),
        'org_id', pg_temp.org('acme'), 'attempt_id', pg_temp.org('attempt')
    ),
    'an unknown attempt is refused'
);

select * from finish();
rollback;
