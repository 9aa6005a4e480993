begin;
select plan(1);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 2000);
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1');
end $$;
select is(
    wallet.refuse_number_status('number_not_active', n),
    jsonb_build_object(
        'success', false, 'error', 'number_not_active', 'message', 'Phone number +442079460000 is provisioning.',
        'phone_number_id', n.id, 'number', '+442079460000', 'status', 'provisioning'
    ),
    'the refusal says how far the number came'
)
from wallet.phone_numbers as n;

select * from finish();
rollback;
