begin;
select plan(12);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

select is(
    wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_1'),
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'stripe_customer_id', 'cus_1'
    ),
    'a customer is kept'
);
select pg_temp.answers(
    wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_1'), '{"success": true, "stripe_customer_id": "cus_1"}',
    'telling it again changes nothing'
);
select pg_temp.answers(
    wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_2'),
    '{"success": true, "duplicate": true, "stripe_customer_id": "cus_1"}',
    'the first customer stays, and is answered'
);
select is(
    (select stripe_customer_id from wallet.organizations where id = pg_temp.org('acme')), 'cus_1', 'it is the one kept'
);
select pg_temp.answers(
    wallet.attach_stripe_customer(pg_temp.org('nobody'), 'cus_1'),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises(
    format('select wallet.attach_stripe_customer(%L, %L)', org_id, customer), sqlstate, field,
    format('%L for %s: %s', customer, coalesce(org_id::text, 'nobody'), field)
)
from (
    values
    (null, 'cus_1', 'WL001', 'p_org_id'),
    (pg_temp.org('acme'), null, 'WL001', 'p_stripe_customer_id'),
    (pg_temp.org('acme'), '', 'WL005', 'p_stripe_customer_id'),
    (pg_temp.org('acme'), ' ', 'WL005', 'p_stripe_customer_id'),
    (pg_temp.org('acme'), repeat('c', 256), 'WL005', 'p_stripe_customer_id'),
    (pg_temp.org('acme'), 'pm_1', 'WL006', 'p_stripe_customer_id'),
    (pg_temp.org('acme'), 'xcus_1', 'WL006', 'p_stripe_customer_id')
) as told (org_id, customer, sqlstate, field);

select * from finish();
rollback;
