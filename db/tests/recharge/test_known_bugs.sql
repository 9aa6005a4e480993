begin;
select plan(20);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

-- Bugs that other wallets with automatic recharge had, each shown not to be here.

-- What Stripe was asked to charge: under which keys, with which parameters, how long after it was first asked.
create temporary table asked (name text, key text, params text, age interval);

-- A worker asks Stripe whatever it is told to, and answers whether it was told anything.
create function pg_temp.work(p_name text) returns boolean
language plpgsql
as $$
declare
    v_claim constant jsonb := pg_temp.claim(p_name);
begin
    if v_claim ->> 'action' = 'charge' then
        insert into asked
        select p_name, v_claim ->> 'idempotency_key', v_claim ->> 'params', clock_timestamp() - first_called_at
        from pg_temp.attempt(p_name);
    end if;
    return v_claim is not null;
end;
$$;

create function pg_temp.charges(p_name text) returns bigint
language sql stable
return (select count(*) from (select distinct key, params from asked where name = p_name) as request);

-- Bursts of top-ups, one per increment, for weeks.
do $$
begin
    perform pg_temp.rechargeable('burst');
    for number in 1..50 loop
        perform pg_temp.spend('burst', 20);
        perform pg_temp.work('burst');
    end loop;
end $$;
select is(pg_temp.balance(pg_temp.org('burst')), -400::bigint, 'fifty charges go through one shortage');
select is(pg_temp.charges('burst'), 1::bigint, 'and ask for one recharge');
do $$
begin
    perform pg_temp.report('burst', jsonb_build_object('payment_intent', pg_temp.recharge_intent('burst')));
end $$;
do $$
begin
    perform pg_temp.tell('payment_intent.succeeded', pg_temp.recharge_intent('burst')) from generate_series(1, 3);
    perform pg_temp.spend('burst', 20) from generate_series(1, 50);
end $$;
select is(pg_temp.balance(pg_temp.org('burst')), 3600::bigint, 'it is credited once');
select is(pg_temp.attempts('burst'), 'succeeded', 'and what it paid for asks for no other');

-- A wallet that loses more than a recharge brings is stopped by its caps, not by its bank.
do $$
begin
    perform pg_temp.rechargeable('drained');
    perform wallet.set_debt_limit(pg_temp.org('drained'), 100000000, 'ann');
    for number in 1..80 loop
        perform pg_temp.spend('drained', 6000);
        perform pg_temp.recharge('drained') where (pg_temp.attempt('drained')).state = 'requested';
        perform pg_temp.later('drained', '16 minutes');
    end loop;
end $$;
select is(
    pg_temp.attempts('drained'), 'succeeded succeeded succeeded succeeded succeeded',
    'a wallet that is emptied for 21 hours is charged five times'
);
select is(pg_temp.obstacle('drained'), 'max_per_day', 'and no more');

-- Declined cards retried every few seconds.
do $$
begin
    perform pg_temp.rechargeable('declined');
    for second in 1..600 loop
        perform pg_temp.spend('declined', 1 + 199 * (second = 1)::integer);
        perform pg_temp.recharge('declined', 'declined') where (pg_temp.attempt('declined')).state = 'requested';
        perform pg_temp.later('declined', '4 seconds');
    end loop;
end $$;
select is(
    pg_temp.attempts('declined'), 'declined declined declined',
    'spending every four seconds for 40 minutes tries a declined card three times'
);
select is(pg_temp.obstacle('declined'), 'payment_method_blocked', 'then it is not tried any more');

-- A threshold not below the amount loops for ever.
do $$ begin perform pg_temp.open_wallet('loop'); end $$;
select pg_temp.raises(
    format('select wallet.set_auto_recharge(pg_temp.org(''loop''), true, ''ann'', %s, 5000)', threshold), 'WL006',
    'p_threshold_pence', format('a threshold of %s is refused for recharges of 5000', threshold)
)
from unnest(array[5000, 5001]) as threshold;
select throws_ok(
    'update wallet.organizations set wallet_auto_recharge = true, wallet_low_balance_pence = 5000
     where id = pg_temp.org(''loop'')',
    '23514', null, 'also to whoever goes past the function'
);

-- A new payment intent per retry; a date in the key, that locks the customer out or charges again the next day.
create function pg_temp.retried(p_hours integer) returns void
language plpgsql
as $$
begin
    for minute in 1..p_hours * 60 by 10 loop
        if pg_temp.work('retried') then
            perform pg_temp.report('retried', '{"error": {"http_status": 500, "type": "api_error"}}');
        end if;
        perform pg_temp.spend('retried', 1);
        perform pg_temp.later('retried', '10 minutes');
    end loop;
end;
$$;
do $$
begin
    perform pg_temp.rechargeable('retried', 0);
    perform pg_temp.retried(20);
end $$;
select cmp_ok(
    (select count(*) from asked where name = 'retried'), '>', 20::bigint, 'Stripe is asked again for twenty hours'
);
select is(pg_temp.charges('retried'), 1::bigint, 'by one request under one key, word for word');
select is(
    (select distinct key from asked where name = 'retried'), (pg_temp.attempt('retried')).id::text,
    'the key is the attempt''s id, today and tomorrow'
);

-- A key older than 24 hours charges again.
do $$ begin perform pg_temp.retried(80); end $$;
select ok(
    (select max(age) between '20 hours' and '23 hours' from asked where name = 'retried'),
    'a hundred hours later Stripe was not asked to charge under a key that it may have forgotten'
);
select is(pg_temp.attempts('retried'), 'unresolved', 'a person is asked by then, and the slot is still taken');
do $$
begin
    perform pg_temp.claim('retried');
    perform pg_temp.report('retried', '{"payment_intents": []}');
    perform pg_temp.retried(100);
end $$;
select is(
    format('%s, %s', pg_temp.attempts('retried'), pg_temp.charges('retried')), 'unresolved, 1',
    'and is left to a person, not to another charge'
);

-- The cooldown is released on failure.
create function pg_temp.failed_hours(p_name text, p_result text) returns text
language plpgsql
as $$
begin
    perform pg_temp.rechargeable(p_name);
    update wallet.recharge_settings set max_declines = 10 where org_id = pg_temp.org(p_name);
    perform wallet.set_auto_recharge(
        pg_temp.org(p_name), true, 'ann', p_max_per_day => 1000, p_max_per_month => 1000, p_cooldown_seconds => 3600
    );
    for minute in 1..270 loop
        perform pg_temp.spend(p_name, 1 + 199 * (minute = 1)::integer);
        perform pg_temp.recharge(p_name, p_result) where (pg_temp.attempt(p_name)).state = 'requested';
        perform pg_temp.later(p_name, '1 minute');
    end loop;
    return pg_temp.attempts(p_name);
end;
$$;
select is(
    pg_temp.failed_hours('cooled', 'declined'), 'declined declined declined declined declined',
    'in 4.5 hours of declines a cooldown of an hour leaves five attempts, not hundreds'
);
select is(pg_temp.failed_hours('lost', 'lost'), 'unknown', 'and one where Stripe doesn''t answer');

select pg_temp.books_are_right();

select * from finish();
rollback;
