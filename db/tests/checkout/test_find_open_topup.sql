begin;
select plan(15);
\ir ../support.sql
\ir checkouts.sql

do $$
begin
    perform pg_temp.customer('acme');
    perform pg_temp.customer('globex');
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann');
end $$;

create temporary table begun (wish, answer) as
select 'by amount', pg_temp.begin('acme', 5000, 'amount click')
union all
select 'by plan', pg_temp.begin('acme', null, 'plan click', 'big')
union all
select 'elsewhere', pg_temp.begin('globex', 7000, 'globex click');

-- Which one is found.
create function pg_temp.found(p_amount_pence bigint, p_plan text, p_key text) returns text
language sql
return (
    select wish from begun
    where
        answer ->> 'topup_id'
        = (wallet.find_open_topup(pg_temp.org('acme'), p_amount_pence, p_plan, p_key)).id::text
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

do $$
begin
    update wallet.topups set status = 'paid', idempotency_key = id::text where request_key = 'amount click';
end $$;
select is(pg_temp.found(5000, null, null), null, 'one that was paid isn''t open');
select is(pg_temp.found(5000, null, 'amount click'), 'by amount', 'but its key finds it all the same');

-- Recharges, and payments that an event was the first to tell of, are nobody's checkout.
do $$
begin
    insert into wallet.topups (org_id, kind, amount_pence, currency, stripe_request, stripe_payment_intent_id)
    values
    (pg_temp.org('acme'), 'wallet_auto_recharge', 5000, 'gbp', '{}', null),
    (pg_temp.org('acme'), 'wallet_topup', 5000, 'gbp', null, 'pi_1');
end $$;
select is(
    (wallet.find_open_topup(pg_temp.org('acme'), 5000, null, null)).id, null,
    'neither a recharge nor a payment of unknown origin is offered at the checkout'
);

-- Of several the newest.
do $$
begin
    insert into wallet.topups (org_id, kind, amount_pence, currency, stripe_request, request_key, created_at)
    select pg_temp.org('acme'), 'wallet_topup', 5000, 'gbp', '{}', minutes::text, now() - make_interval(mins => minutes)
    from unnest(array[3, 1, 2]) as minutes;
end $$;
select is(
    (wallet.find_open_topup(pg_temp.org('acme'), 5000, null, null)).request_key, '1',
    'of several open ones it is the newest'
);
do $$
begin
    update wallet.topups set expires_at = now(), checkout_url = 'https://a.example' where request_key = '1';
end $$;
select is(
    (wallet.find_open_topup(pg_temp.org('acme'), 5000, null, null)).request_key, '2', 'that isn''t over'
);
do $$ begin update wallet.topups set status = 'failed' where request_key = '2'; end $$;
select is(
    (wallet.find_open_topup(pg_temp.org('acme'), 5000, null, null)).request_key, '2',
    'a declined card doesn''t end it'
);

select * from finish();
rollback;
