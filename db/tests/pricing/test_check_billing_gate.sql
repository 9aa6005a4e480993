begin;
select plan(42);
\ir ../support.sql

create function pg_temp.gate(p_name text, p_service text, p_quantity bigint default 1) returns jsonb
language sql stable
return wallet.check_billing_gate(pg_temp.org(p_name), p_service, p_quantity);

-- Holds money of a wallet until then, past the functions.
create function pg_temp.hold(p_name text, p_pence bigint, p_until timestamptz) returns void
language sql
as $$
    insert into wallet.credit_reservations (
        org_id, call_id, requested_minutes, estimated_minutes, requested_pence, reserved_pence, expires_at
    )
    values (pg_temp.org(p_name), gen_random_uuid(), 1, 1, p_pence, p_pence, p_until);
    update wallet.organizations set reserved_pence = reserved_pence + p_pence where id = pg_temp.org(p_name);
$$;

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform pg_temp.open_wallet('thin', 78);
    perform pg_temp.open_wallet('held', 1000);
    perform pg_temp.hold('held', 300, now() + interval '1 hour');
    perform pg_temp.open_wallet('lapsed', 1000);
    perform pg_temp.hold('lapsed', 300, now() + interval '1 hour');
    perform pg_temp.hold('lapsed', 500, clock_timestamp());
    perform pg_temp.open_wallet('owing', 1000);
    update wallet.organizations set owed_pence = 200 where id = pg_temp.org('owing');
    perform pg_temp.open_wallet('indebted', -497);
    perform pg_temp.open_wallet('boston', 100, p_currency => 'usd');
    perform pg_temp.open_wallet('tokyo', 119, p_currency => 'jpy');
    perform pg_temp.open_wallet('berlin', 1000, p_currency => 'eur');
    perform wallet.set_exchange_rate('usd', 'jpy', 150, 'ann');
    perform wallet.set_exchange_rate('gbp', 'usd', 1.27, 'ann');
    perform wallet.set_exchange_rate('gbp', 'jpy', 190.4, 'ann');
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.freeze_wallet(pg_temp.open_wallet('frozen', 1000), 'Under review', 'ann');
end $$;
create temporary table before as select pg_temp.everything() as state;

-- Each service's gate.
select is(
    pg_temp.gate('acme', service, quantity),
    jsonb_build_object(
        'success', true, 'allowed', required <= available, 'required_pence', required, 'available_pence', available,
        'service', service, 'quantity', quantity, 'currency', 'gbp',
        'reason', case
            when required <= available then null
            when available > 1000 then 'debt_limit_exceeded'
            else 'insufficient_balance'
        end
    ),
    format('%s of %s: %s of %s', quantity, service, required, available)
)
from (
    values
    ('call', 1, 79, 1000),
    ('call', 60, 79, 1000),
    ('call', 85, 79, 1000),
    ('call', 86, 80, 1000),
    ('call', 300, 277, 1000),
    ('call', 1084, 1000, 1000),
    ('call', 1085, 1001, 1000),
    ('sms', 1, 4, 1500),
    ('sms', 379, 1498, 1500),
    ('sms', 380, 1501, 1500),
    ('knowledge_base_query', 1, 1, 1500),
    ('knowledge_base_query', 1900, 1501, 1500),
    ('phone_provisioning', 1, 395, 1000),
    ('phone_provisioning', 3, 1185, 1000)
) as ask (service, quantity, required, available);
select is(
    wallet.check_billing_gate(pg_temp.org('acme'), 'call'), pg_temp.gate('acme', 'call', 1),
    'a quantity of 1 where none is named'
);
select pg_temp.answers(
    pg_temp.gate('thin', 'call', 1),
    '{"allowed": false, "required_pence": 79, "available_pence": 78, "reason": "insufficient_balance"}',
    'a call needs 79 p, however short it is going to be, and not out of the debt limit'
);

-- What counts.
select pg_temp.answers(
    pg_temp.gate(name, 'call', 300), jsonb_build_object('allowed', true, 'available_pence', available), why
)
from (
    values
    ('held', 700, 'what is reserved is not available'),
    ('lapsed', 700, 'what was reserved until now is'),
    ('owing', 800, 'what calls owe is not')
) as wallet_of (name, available, why);
select pg_temp.answers(
    pg_temp.gate(name, 'sms'), jsonb_build_object('allowed', true, 'available_pence', available), why
)
from (
    values
    ('held', 1200, 'the debt limit adds to it: reserved'),
    ('lapsed', 1200, 'the debt limit adds to it: lapsed'),
    ('owing', 1300, 'the debt limit adds to it: owing')
) as wallet_of (name, available, why);
select pg_temp.answers(
    pg_temp.gate('indebted', 'sms'),
    '{"allowed": false, "required_pence": 4, "available_pence": 3, "reason": "debt_limit_exceeded"}',
    'a debt may grow to its limit and no further'
);
select pg_temp.answers(
    pg_temp.gate('indebted', 'phone_provisioning'),
    '{"allowed": false, "required_pence": 395, "available_pence": -497, "reason": "insufficient_balance"}',
    'and nothing is bought in debt that may not be'
);
select pg_temp.answers(
    pg_temp.gate('frozen', service), jsonb_build_object('allowed', false, 'reason', 'wallet_frozen'),
    'a frozen wallet: no ' || service
)
from unnest(array['call', 'sms', 'knowledge_base_query', 'phone_provisioning']) as service;

-- Its currency: 79 p are 1.01 dollars and 151 yen, rounded up.
select pg_temp.answers(
    pg_temp.gate(name, 'call', quantity),
    jsonb_build_object(
        'allowed', false, 'required_pence', required, 'available_pence', available, 'currency', currency
    ),
    why
)
from (
    values
    ('boston', 1, 101, 100, 'usd', 'a wallet in dollars'),
    ('tokyo', 1, 151, 119, 'jpy', 'a wallet in yen'),
    ('tokyo', 91, 161, 119, 'jpy', 'a price above the minimum')
) as ask (name, quantity, required, available, currency, why);

-- Refusals and misuse.
select pg_temp.answers(
    pg_temp.gate('nobody', 'call'), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.answers(
    pg_temp.gate('berlin', 'sms'),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "usd", "to_currency": "eur"}',
    'a price that can''t be converted is refused'
);
select is(pg_temp.everything(), state, 'a gate writes nothing') from before;
do $$
begin
    perform wallet.set_exchange_rate('usd', 'eur', 0.9, 'ann');
    perform wallet.set_service('archive', 'token', 'license', true, 'ann');
end $$;
select pg_temp.answers(
    pg_temp.gate('berlin', 'call'),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "gbp", "to_currency": "eur"}',
    'so is a minimum that can''t be'
);
select pg_temp.answers(
    pg_temp.gate('acme', 'archive'), '{"success": false, "error": "price_not_found", "service": "archive"}',
    'and what has no price'
);
select pg_temp.raises(
    format('select wallet.check_billing_gate(%L, %L, %L)', org_id, service, quantity), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 'call', '1', 'WL001', 'p_org_id'),
    (pg_temp.org('acme'), null, '1', 'WL001', 'p_service'),
    (pg_temp.org('acme'), 'phone_number', '1', 'WL006', 'p_service'),
    (pg_temp.org('acme'), 'call', null, 'WL001', 'p_quantity'),
    (pg_temp.org('acme'), 'call', '0', 'WL002', 'p_quantity')
) as misuse (org_id, service, quantity, sqlstate, field);
select is(
    array[
        pg_temp.outcome(
            'service_role', '', format('select wallet.check_billing_gate(%L, ''sms'') ->> ''allowed''', id)
        ),
        pg_temp.outcome('authenticated', '', format('select wallet.check_billing_gate(%L, ''sms'')', id)),
        pg_temp.outcome('wallet_webhook', '', format('select wallet.check_billing_gate(%L, ''sms'')', id))
    ],
    array['true', '42501', '42501'],
    'backends may ask'
)
from pg_temp.org('acme') as id;

select * from finish();
rollback;
