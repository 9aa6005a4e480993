begin;
select plan(27);
\ir ../support.sql
\ir checkouts.sql

do $$
begin
    perform pg_temp.customer('acme');
    perform pg_temp.customer('globex');
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann');
end $$;

-- The open one of this amount, whoever asked for it, that comes back to the usual address.
create function pg_temp.open_one(p_amount_pence bigint default 5000) returns wallet.topups
language sql
return wallet.find_open_topup(pg_temp.org('acme'), p_amount_pence, null, null, 'https://acme.example/wallet');

-- What Stripe was asked for, of a top-up that comes back to the usual address.
create function pg_temp.request_of(p_id uuid) returns jsonb
language sql
return jsonb_build_object('success_url', wallet.topup_return_url(p_id, 'https://acme.example/wallet', 'success'));

create temporary table begun (wish, answer) as
select 'by amount', pg_temp.begin('acme', 5000, 'amount click')
union all
select 'by plan', pg_temp.begin('acme', null, 'plan click', 'big')
union all
select 'elsewhere', pg_temp.begin('globex', 7000, 'globex click');

-- Which one is found.
create function pg_temp.found(
    p_amount_pence bigint, p_plan text, p_key text, p_return_url text default 'https://acme.example/wallet'
) returns text
language sql
return (
    select wish from begun
    where
        answer ->> 'topup_id'
        = (wallet.find_open_topup(pg_temp.org('acme'), p_amount_pence, p_plan, p_key, p_return_url)).id::text
);

select is(pg_temp.found(amount, plan, key), expected, what)
from (
    values
    (5000, null, 'amount click', 'by amount', 'a key finds its top-up'),
    (6000, null, 'amount click', 'by amount', 'whatever is asked for'),
    (5000, null, 'plan click', 'by plan', 'even where an amount would find another'),
    (5000, null, null, 'by amount', 'without a key an amount finds the open one'),
    (5000, null, 'unknown', 'by amount', 'so it does with a key that is not known'),
    (null, 'big', 'unknown', 'by plan', 'a plan finds the one by that plan'),
    (null, 'small', null, null, 'another plan finds none'),
    (6000, null, null, null, 'nor does another amount'),
    (7000, null, 'globex click', null, 'nor does what another organization has')
) as asked (amount, plan, key, expected, what);

-- Whoever comes back elsewhere has another wish.
select is(pg_temp.found(5000, null, key, url), expected, format('with the key %s, back to %s: %s', key, url, expected))
from (
    values
    (null, 'https://acme.example/wallet', 'by amount'),
    (null, 'https://evil.example/', null),
    (null, 'https://acme.example/wallet/', null),
    (null, 'https://acme.example/walle', null),
    (null, 'https://acme.example/wallet?', null),
    (null, 'https://acme.example/wallet%', null),
    (null, null, null),
    ('unknown', 'https://evil.example/', null),
    ('amount click', 'https://evil.example/', 'by amount'),
    ('amount click', null, 'by amount')
) as back (key, url, expected);
select is(
    pg_temp.found(null, 'big', null, url), expected, format('by plan, back to %s: %s', url, expected)
)
from (
    values ('https://acme.example/wallet', 'by plan'), ('https://evil.example/', null)
) as back (url, expected);

do $$
begin
    update wallet.topups set status = 'paid', idempotency_key = id::text where request_key = 'amount click';
end $$;
select is(pg_temp.found(5000, null, null), null, 'one that was paid isn''t open');
select is(pg_temp.found(5000, null, 'amount click'), 'by amount', 'but its key finds it all the same');

-- Recharges, and payments that an event was the first to tell of, are nobody's checkout.
do $$
begin
    insert into wallet.topups (org_id, id, kind, amount_pence, currency, stripe_request, stripe_payment_intent_id)
    select pg_temp.org('acme'), id, kind, 5000, 'gbp', case when intent is null then pg_temp.request_of(id) end, intent
    from (
        values
        (gen_random_uuid(), 'wallet_auto_recharge', null), (gen_random_uuid(), 'wallet_topup', 'pi_1')
    ) as payment (id, kind, intent);
end $$;
select is(
    (pg_temp.open_one()).id, null,
    'neither a recharge nor a payment of unknown origin is offered at the checkout'
);

-- Of several the newest.
do $$
begin
    insert into wallet.topups (org_id, id, kind, amount_pence, currency, stripe_request, request_key, created_at)
    select
        pg_temp.org('acme'), id, 'wallet_topup', 5000, 'gbp', pg_temp.request_of(id), minutes::text,
        now() - make_interval(mins => minutes)
    from (values (gen_random_uuid(), 3), (gen_random_uuid(), 1), (gen_random_uuid(), 2)) as earlier (id, minutes);
end $$;
select is(
    (pg_temp.open_one()).request_key, '1',
    'of several open ones it is the newest'
);
do $$
begin
    update wallet.topups set expires_at = now(), checkout_url = 'https://a.example' where request_key = '1';
end $$;
select is(
    (pg_temp.open_one()).request_key, '2', 'that isn''t over'
);
do $$ begin update wallet.topups set status = 'failed' where request_key = '2'; end $$;
select is(
    (pg_temp.open_one()).request_key, '2',
    'a declined card doesn''t end it'
);

select * from finish();
rollback;
