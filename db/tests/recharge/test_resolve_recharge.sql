begin;
select plan(32);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

create function pg_temp.resolve(p_name text) returns jsonb
language sql
as $$
    select wallet.resolve_recharge(pg_temp.org(p_name), id, 'ann', 'Stripe has no payment') from pg_temp.attempt(p_name)
$$;

do $$
begin
    perform pg_temp.rechargeable('acme', 0);
    perform pg_temp.claim('acme');
    perform pg_temp.report('acme', '{"payment_intents": []}');
end $$;

select pg_temp.answers(
    pg_temp.resolve('acme'),
    jsonb_build_object('success', true, 'org_id', pg_temp.org('acme'), 'attempt_id', (pg_temp.attempt('acme')).id,
    'state', 'canceled'),
    'a person may close what is unresolved'
);
select pg_temp.answers(
    to_jsonb(a) || jsonb_build_object('closed', closed_at is not null),
    '{"state": "canceled", "last_error": "ann: Stripe has no payment", "closed": true}', 'with who and why'
)
from pg_temp.attempt('acme') as a;
select pg_temp.answers(
    to_jsonb(t), '{"status": "canceled", "last_error": "No payment was made."}', 'and its top-up, for its tenant to see'
)
from wallet.topups as t
where org_id = pg_temp.org('acme');
select is(pg_temp.obstacle('acme'), 'cooldown', 'the slot is free, after the cooldown');
do $$ begin perform pg_temp.later('acme', '16 minutes'); end $$;
do $$ begin perform pg_temp.spend('acme', 1); end $$;
select is(pg_temp.attempts('acme'), 'canceled requested', 'the wallet can be recharged again');

-- The person was wrong: the money is credited all the same, once.
do $$
begin
    perform pg_temp.rechargeable('wrong', 0);
    perform pg_temp.claim('wrong');
    perform pg_temp.report('wrong', '{"payment_intents": []}');
    perform pg_temp.resolve('wrong');
    perform pg_temp.tell('payment_intent.succeeded', pg_temp.recharge_intent('wrong')) from generate_series(1, 2);
end $$;
select is(
    concat_ws(', ', pg_temp.attempts('wrong'), pg_temp.payments('wrong')),
    'succeeded, balance 5000, credits 1, top-ups paid',
    'a payment that turns up later is credited, once'
);

-- Nothing else is for a person to close: it may be at Stripe.
create function pg_temp.resolve_state(p_state text) returns jsonb
language plpgsql
as $$
begin
    perform pg_temp.rechargeable(p_state, 0);
    update wallet.recharge_attempts
    set state = p_state, closed_at = case when p_state in ('succeeded', 'declined', 'canceled') then now() end
    where org_id = pg_temp.org(p_state);
    return pg_temp.resolve(p_state);
end;
$$;
select pg_temp.answers(
    pg_temp.resolve_state(state),
    jsonb_build_object('success', false, 'error', 'recharge_not_unresolved', 'state', state),
    format('%s is not for a person to close', state)
)
from
    unnest(
        array['requested', 'calling', 'unknown', 'processing', 'requires_action', 'succeeded', 'declined', 'canceled']
    ) as state;
select is(pg_temp.attempts(state), state, format('%s stays', state))
from
    unnest(
        array['requested', 'calling', 'unknown', 'processing', 'requires_action', 'succeeded', 'declined', 'canceled']
    ) as state;

do $$
begin
    update wallet.recharge_attempts set first_called_at = now() - interval '25 hours'
    where org_id = any(array[pg_temp.org('unknown'), pg_temp.org('requires_action'), pg_temp.org('declined')]);
end $$;
select is((pg_temp.resolve(state) ->> 'success')::boolean, state <> 'declined', format('%s, a day after', state))
from unnest(array['unknown', 'requires_action', 'declined']) as state;

select pg_temp.answers(
    wallet.resolve_recharge(pg_temp.org('acme'), (pg_temp.attempt('wrong')).id, 'ann', 'x'),
    '{"success": false, "error": "recharge_not_found"}',
    'another organization''s attempt is none'
);
select pg_temp.raises(
    format('select wallet.resolve_recharge(%L, %L, %L, %L)', org_id, attempt_id, actor, note), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, pg_temp.org('x'), 'ann', 'x', 'WL001', 'p_org_id'),
    (pg_temp.org('x'), null, 'ann', 'x', 'WL001', 'p_attempt_id'),
    (pg_temp.org('x'), pg_temp.org('x'), null, 'x', 'WL001', 'p_actor'),
    (pg_temp.org('x'), pg_temp.org('x'), ' ', 'x', 'WL005', 'p_actor'),
    (pg_temp.org('x'), pg_temp.org('x'), 'ann', null, 'WL001', 'p_note'),
    (pg_temp.org('x'), pg_temp.org('x'), 'ann', '', 'WL005', 'p_note')
) as misuse (org_id, attempt_id, actor, note, sqlstate, field);

select * from finish();
rollback;
