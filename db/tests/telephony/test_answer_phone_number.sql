begin;
select plan(2);
\ir ../support.sql
\ir numbers.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 2000);
    perform pg_temp.get_number('acme', '+442079460000', pg_temp.credential('acme', 'cred', true));
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460001', 'k1');
    perform wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k1', 'taken');
end $$;

select is(
    wallet.answer_phone_number(n),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'phone_number_id', n.id, 'number', '+442079460000', 'status', 'active',
        'provider', 'twilio', 'provider_number_id', 'PN+442079460000', 'credential_id', n.credential_id,
        'price_pence', 395, 'refunded_pence', 0
    ),
    'a number in use'
)
from wallet.phone_numbers as n
where n.status = 'active' and n.credential_id is not null;
select pg_temp.answers(
    wallet.answer_phone_number(n), '{"status": "failed", "price_pence": 395, "refunded_pence": 395}',
    'one that could not be bought'
)
from wallet.phone_numbers as n
where n.status = 'failed';

select * from finish();
rollback;
