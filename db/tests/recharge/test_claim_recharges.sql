begin;
select plan(39);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

select is(
    wallet.claim_recharges('worker'), '{"success": true, "recharges": []}',
    'where nothing is due, nothing is handed out'
);

do $$ begin perform pg_temp.rechargeable('acme', 0); end $$;
create temporary table first as select pg_temp.claim('acme', 'worker 1') as claim;

select is(
    claim,
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'attempt_id', a.id, 'action', 'charge', 'idempotency_key', a.id,
        'params', wallet.recharge_request(a)
    ),
    'a worker gets what to ask Stripe, under the attempt''s id as idempotency key'
)
from
    first,
    pg_temp.attempt('acme') as a;
select pg_temp.answers(
    to_jsonb(pg_temp.attempt('acme')),
    '{"state": "calling", "claims": 1, "claimed_by": "worker 1", "closed_at": null}',
    'what it may be doing from now on is written down'
);
select ok(
    first_called_at between now() and clock_timestamp()
    and next_try_at - first_called_at = interval '60 seconds',
    'with the time of the first call, and a lease of a minute'
)
from pg_temp.attempt('acme');

-- The lease.
select is(pg_temp.claim('acme', 'worker 2'), null, 'nobody else gets it');
do $$ begin perform pg_temp.later('acme', '59 seconds'); end $$;
select is(pg_temp.claim('acme', 'worker 2'), null, 'while the lease lasts');
do $$ begin perform pg_temp.later('acme', '2 seconds'); end $$;
select is(
    pg_temp.claim('acme', 'worker 2')::text, claim::text,
    'after that another one says the same to Stripe, byte for byte, under the same key'
)
from first;
select pg_temp.answers(
    to_jsonb(pg_temp.attempt('acme')), '{"state": "calling", "claims": 2, "claimed_by": "worker 2"}',
    'and has the lease'
);
do $$
begin
    perform pg_temp.later('acme', '61 seconds');
    update wallet.organizations
    set wallet_recharge_amount_pence = 9000, stripe_customer_id = 'cus_new', stripe_default_pm_id = 'pm_new',
    name = 'New'
    where id = pg_temp.org('acme');
end $$;
select is(
    pg_temp.claim('acme')::text, claim::text, 'also when amount, customer and card of the wallet are others by now'
)
from first;
do $$
begin
    perform pg_temp.later('acme', '61 seconds');
    perform wallet.claim_recharges('worker', 1, 5);
end $$;
select is(
    extract(epoch from next_try_at - updated_at), 5.0, 'the worker says how long its lease is'
)
from pg_temp.attempt('acme');

-- Stripe forgets keys after 24 hours; from 23 on it is only asked what it knows.
create function pg_temp.aged(p_state text, p_age interval) returns jsonb
language plpgsql
as $$
declare
    v_name constant text := format('%s for %s', p_state, p_age);
    v_claim jsonb;
begin
    perform pg_temp.rechargeable(v_name, 0);
    if p_state <> 'requested' then
        perform pg_temp.claim(v_name);
    end if;
    update wallet.recharge_attempts
    set
        state = p_state,
        stripe_payment_intent_id = case when p_state in ('processing', 'requires_action') then 'pi_1' end
    where org_id = pg_temp.org(v_name);
    perform pg_temp.later(v_name, p_age);
    v_claim := pg_temp.claim(v_name);
    return v_claim || jsonb_build_object('state', (pg_temp.attempt(v_name)).state);
end;
$$;

select pg_temp.answers(
    pg_temp.aged(state, age), jsonb_build_object('action', action, 'state', becomes),
    format('%s, first called %s ago: %s', state, age, action)
)
from (
    values
    ('requested', interval '1 minute', 'charge', 'calling'),
    ('calling', '22 hours 59 minutes', 'charge', 'calling'),
    ('unknown', '22 hours 59 minutes', 'charge', 'calling'),
    ('calling', '23 hours', 'look_up', 'unknown'),
    ('unknown', '23 hours', 'look_up', 'unknown'),
    ('unknown', '40 days', 'look_up', 'unknown'),
    ('unresolved', '25 hours', 'look_up', 'unresolved'),
    ('processing', '2 hours', 'look_up', 'processing'),
    ('processing', '2 days', 'look_up', 'processing'),
    ('requires_action', '24 hours', 'cancel', 'requires_action'),
    ('requires_action', '48 hours', 'cancel', 'requires_action')
) as aged (state, age, action, becomes);

-- An attempt that has been old once stays so, however often it is claimed.
create function pg_temp.claimed_again(p_name text) returns text
language plpgsql
as $$
begin
    perform pg_temp.later(p_name, '2 minutes');
    return pg_temp.claim(p_name) ->> 'action';
end;
$$;
do $$
begin
    perform pg_temp.rechargeable('old', 0);
    perform pg_temp.claim('old');
    perform pg_temp.later('old', '23 hours');
end $$;
select is(
    string_agg(pg_temp.claimed_again('old'), ' '), 'look_up look_up look_up', 'an old key is never used again'
)
from generate_series(1, 3);

-- A wallet that was frozen meanwhile isn't charged; what may be at Stripe already is looked up.
do $$
begin
    perform pg_temp.rechargeable('frozen', 0);
    perform pg_temp.claim('frozen');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
end $$;
select is(pg_temp.claimed_again('frozen'), 'look_up', 'a frozen wallet is not charged, only looked up');

-- What a look-up and a cancellation ask.
do $$ begin perform pg_temp.later('old', '2 minutes'); end $$;
select is(
    pg_temp.claim('old'),
    jsonb_build_object(
        'org_id', a.org_id, 'attempt_id', a.id, 'action', 'look_up',
        'params', jsonb_build_object(
            'customer', 'cus_old', 'limit', 100,
            'created', jsonb_build_object('gte', floor(extract(epoch from a.created_at)) - 3600)
        )
    ),
    'a look-up lists the customer''s payment intents from an hour before the attempt, and has no key'
)
from pg_temp.attempt('old') as a;
do $$
begin
    perform pg_temp.rechargeable('waits', 0);
    perform pg_temp.recharge('waits', 'authentication_required');
    perform pg_temp.later('waits', '24 hours 1 second');
end $$;
select is(
    pg_temp.claim('waits'),
    jsonb_build_object(
        'org_id', a.org_id, 'attempt_id', a.id, 'action', 'cancel', 'idempotency_key', 'cancel:' || a.id,
        'payment_intent_id', 'pi_' || a.id
    ),
    'a cancellation names the payment intent, under a key of its own'
)
from pg_temp.attempt('waits') as a;

-- What is closed is over.
create function pg_temp.closed(p_state text) returns jsonb
language plpgsql
as $$
begin
    perform pg_temp.rechargeable(p_state, 0);
    update wallet.recharge_attempts set state = p_state, closed_at = now() where org_id = pg_temp.org(p_state);
    perform pg_temp.later(p_state, '2 days');
    return pg_temp.claim(p_state);
end;
$$;
select is(pg_temp.closed(state), null, format('%s is over', state))
from unnest(array['succeeded', 'declined', 'canceled']) as state;

-- In order, and no more than asked for.
do $$
begin
    update wallet.recharge_attempts set next_try_at = 'infinity' where closed_at is null;
    perform pg_temp.rechargeable(name, 0) from unnest(array['b', 'c', 'a']) as name;
    perform pg_temp.later('a', '3 seconds');
    perform pg_temp.later('b', '2 seconds');
    perform pg_temp.later('c', '1 second');
end $$;
create function pg_temp.handed_out(p_limit integer) returns text
language sql
as $$
    select string_agg(name, ' ' order by name)
    from jsonb_array_elements(wallet.claim_recharges('worker', p_limit) -> 'recharges') as r
    inner join unnest(array['a', 'b', 'c']) as name on pg_temp.org(name)::text = r ->> 'org_id'
$$;
select is(pg_temp.handed_out(2), 'a b', 'those that are due for longest come first');
select is(pg_temp.handed_out(2), 'c', 'the others after them');
select is(pg_temp.handed_out(2), null, 'each to one worker');

select pg_temp.raises(
    format('select wallet.claim_recharges(%L, %L, %L)', worker, "limit", lease), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 1, 1, 'WL001', 'p_worker'),
    (' ', 1, 1, 'WL005', 'p_worker'),
    ('w', null, 1, 'WL001', 'p_limit'),
    ('w', 0, 1, 'WL002', 'p_limit'),
    ('w', 1, null, 'WL001', 'p_lease_seconds'),
    ('w', 1, 0, 'WL002', 'p_lease_seconds')
) as misuse (worker, "limit", lease, sqlstate, field);

-- Nobody worked for a while, and the customer has paid by hand.
do $$
begin
    perform pg_temp.rechargeable('paid', 0);
    perform wallet.add_wallet_credits(pg_temp.org('paid'), 5000, 'topup', 'pi_by_hand');
end $$;
select is(pg_temp.claim('paid'), null, 'a recharge that is not needed any more is not made');
select is(pg_temp.attempts('paid'), 'canceled', 'it is canceled');

select * from finish();
rollback;
