begin;
select plan(63);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

create function pg_temp.note(
    p_name text, p_state text, p_error text default null, p_decline_code text default null,
    p_advice_code text default null, p_kind text default 'wallet_auto_recharge'
) returns jsonb
language sql
as $$
    select wallet.note_recharge(
        jsonb_populate_record(
            null::wallet.stripe_payment,
            jsonb_build_object(
                'kind', p_kind, 'org_id', a.org_id, 'topup_id', a.id, 'payment_intent_id', 'pi_' || a.id
            )
        ),
        p_state, p_error, p_decline_code, p_advice_code
    )
    from pg_temp.attempt(p_name) as a
$$;

-- An attempt in a state that learns of another one; the state that it is in then.
create function pg_temp.moved(p_from text, p_to text) returns text
language plpgsql
as $$
declare
    v_name constant text := concat_ws(' to ', p_from, p_to);
begin
    perform pg_temp.rechargeable(v_name, 0);
    perform pg_temp.claim(v_name);
    update wallet.recharge_attempts
    set state = p_from, closed_at = case when p_from in ('succeeded', 'declined', 'canceled') then now() end
    where org_id = pg_temp.org(v_name);
    perform pg_temp.note(v_name, p_to, 'x');
    return (pg_temp.attempt(v_name)).state;
end;
$$;
select is(
    pg_temp.moved(before, news),
    case
        when before in ('succeeded', 'declined', 'canceled') and news <> 'succeeded' then before
        when before = 'requires_action' and news = 'declined' then before
        else news
    end,
    format('%s, then %s', before, news)
)
from
    unnest(
        array[
            'calling', 'unknown', 'processing', 'requires_action', 'unresolved', 'succeeded', 'declined', 'canceled'
        ]
    ) as before,
    unnest(array['processing', 'requires_action', 'succeeded', 'declined', 'canceled']) as news;

-- What is kept.
do $$
begin
    perform pg_temp.rechargeable(name, 0) from unnest(array['waits', 'unclear', 'declined', 'paid']) as name;
    perform pg_temp.claim('waits');
end $$;

select is(
    pg_temp.note('declined', 'declined', 'No funds.', 'insufficient_funds'), '{"recharge_state": "declined"}',
    'the new state is answered'
);
select pg_temp.answers(
    to_jsonb(a) || jsonb_build_object('closed', closed_at is not null),
    jsonb_build_object(
        'state', 'declined', 'closed', true, 'decline_code', 'insufficient_funds', 'last_error', 'No funds.',
        'stripe_payment_intent_id', 'pi_' || a.id
    ),
    'an end is written down with its reasons'
)
from pg_temp.attempt('declined') as a;
select is(
    payload ->> 'message', 'An automatic recharge of £50.00 was declined: No funds.', 'a decline is told'
)
from wallet.outbox_messages
where org_id = pg_temp.org('declined') and topic = 'recharge_failed';

-- Told twice, counted once.
select is(pg_temp.note('declined', 'declined', 'No funds.', 'lost_card'), '{}', 'the same again is no news');
select is(pg_temp.messages('declined', 'recharge_failed'), 1::bigint, 'and not told again');
select is(
    (select declines from wallet.recharge_settings where org_id = pg_temp.org('declined')), 1, 'a decline counts once'
);
select is(pg_temp.obstacle('declined'), 'cooldown', 'the cooldown runs after a decline');

-- What waits for the customer waits a day, then it is canceled.
do $$ begin perform pg_temp.note('waits', 'requires_action'); end $$;
select ok(
    closed_at is null and next_try_at between now() + interval '24 hours' and clock_timestamp() + interval '24 hours',
    'the customer has a day to authenticate'
)
from pg_temp.attempt('waits');
select is(pg_temp.messages('waits', 'recharge_needs_action'), 1::bigint, 'which is told');
create temporary table due as select next_try_at from pg_temp.attempt('waits');
do $$ begin perform pg_temp.note('waits', 'requires_action'); end $$;
select is((pg_temp.attempt('waits')).next_try_at, next_try_at, 'told again, the day does not begin anew') from due;
select is(pg_temp.messages('waits', 'recharge_needs_action'), 1::bigint, 'nor is it told again');
do $$ begin perform pg_temp.note('waits', 'processing'); end $$;
select ok(
    next_try_at between now() + interval '1 hour' and clock_timestamp() + interval '1 hour',
    'what Stripe is at is asked about after an hour'
)
from pg_temp.attempt('waits');
do $$ begin perform pg_temp.note('waits', 'canceled'); end $$;
select is(pg_temp.attempts('waits'), 'canceled', 'what the customer did not confirm ends');
select is(
    (select declines from wallet.recharge_settings where org_id = pg_temp.org('waits')), 0,
    'without counting as declined'
);

do $$ begin perform pg_temp.note('unclear', 'unresolved', 'Stripe knows nothing of it.'); end $$;
select is(
    payload ->> 'message', 'An automatic recharge of £50.00 has an unknown outcome: Stripe knows nothing of it.',
    'what nobody can tell is told to a person'
)
from wallet.outbox_messages
where org_id = pg_temp.org('unclear') and topic = 'recharge_unresolved';

-- A payment ends a row of declines.
do $$
begin
    update wallet.recharge_settings set declines = 2 where org_id = pg_temp.org('paid');
    perform pg_temp.note('paid', 'succeeded');
end $$;
select is(
    (select declines from wallet.recharge_settings where org_id = pg_temp.org('paid')), 0,
    'a payment ends a row of declines'
);
select is(
    (
        select count(*) from wallet.outbox_messages
        where org_id = pg_temp.org('paid') and topic like 'recharge%'
    ),
    0::bigint,
    'and is no alarm'
);
do $$
begin
    perform pg_temp.later('paid', '1 day');
    update wallet.recharge_attempts set state = 'canceled' where org_id = pg_temp.org('paid');
    perform pg_temp.note('paid', 'succeeded');
end $$;
select ok(
    closed_at > now() - interval '1 hour', 'money that comes after the end starts the cooldown when it comes'
)
from pg_temp.attempt('paid');

-- Nobody else's.
do $$ begin perform pg_temp.rechargeable('acme', 0); end $$;
create temporary table before_others as select pg_temp.everything() as state;
select is(pg_temp.note('acme', 'declined', 'x', p_kind => 'wallet_topup'), '{}', 'a checkout is no recharge');
select is(
    wallet.note_recharge(
        jsonb_populate_record(
            null::wallet.stripe_payment,
            jsonb_build_object('kind', 'wallet_auto_recharge', 'org_id', org_id, 'topup_id', topup_id)
        ),
        'succeeded'
    ),
    '{}',
    what
)
from (
    values
    (pg_temp.org('acme'), null::uuid, 'a recharge of which we have no attempt is none of ours'),
    (pg_temp.org('acme'), gen_random_uuid(), 'nor is one that we don''t know'),
    (pg_temp.org('paid'), (select id from pg_temp.attempt('acme')), 'nor another organization''s')
) as other (org_id, topup_id, what);
select is(pg_temp.everything(), (select state from before_others), 'and changes nothing');

select * from finish();
rollback;
