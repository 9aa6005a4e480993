begin;
select plan(15);
\ir ../support.sql
\ir ../stripe/events.sql
\ir objects.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

create function pg_temp.missing(p_moved bigint[], p_status text default 'needs_response') returns text
language sql
return replace(
    array_to_string(
        wallet.missing_dispute_events(pg_temp.listed_dispute(p_moved, jsonb_build_object('status', p_status))), ' '
    ),
    'charge.dispute.', ''
);

select is(pg_temp.missing('{-5000}'), '', 'a dispute about a payment that no wallet was credited with is none of ours');
do $$ begin perform pg_temp.deliver('evt_1', 'payment_intent.succeeded', pg_temp.intent()); end $$;

select is(
    pg_temp.missing(moved::bigint[], status), events, format('not told of, %s, moved %s: %s', status, moved, events)
)
from (
    values
    ('needs_response', '{}', 'created'),
    ('needs_response', '{-5000}', 'created funds_withdrawn'),
    ('under_review', '{-5000}', 'created funds_withdrawn'),
    ('won', '{-5000,5000}', 'created funds_withdrawn funds_reinstated closed'),
    ('lost', '{-5000}', 'created funds_withdrawn closed'),
    ('warning_closed', '{}', 'created closed')
) as dispute (status, moved, events);

do $$ begin perform pg_temp.deliver('evt_2', 'charge.dispute.created', pg_temp.listed_dispute()); end $$;
select is(pg_temp.missing('{}'), '', 'a dispute that is known as it is needs nothing');
select is(pg_temp.missing('{-5000}'), 'funds_withdrawn', 'the money is gone since');
select is(pg_temp.missing('{}', 'under_review'), '', 'a step in between moves nothing');

do $$
begin
    perform pg_temp.deliver('evt_3', 'charge.dispute.funds_withdrawn', pg_temp.listed_dispute('{-5000}'));
end;
$$;
select is(pg_temp.missing('{-5000}'), '', 'withdrawn funds are known');
select is(pg_temp.missing('{-5000,5000}', 'won'), 'funds_reinstated closed', 'and then it is won');
select is(pg_temp.missing('{-5000}', 'lost'), 'closed', 'or lost');

do $$
begin
    perform pg_temp.deliver(
        'evt_4', 'charge.dispute.closed', pg_temp.listed_dispute('{-5000}', '{"status": "lost"}')
    );
end;
$$;
select is(pg_temp.missing('{-5000}', 'lost'), '', 'the end is known');
select is(
    wallet.missing_dispute_events(pg_temp.listed_dispute() - 'balance_transactions' || '{"id": "du_2"}'),
    array['charge.dispute.created'],
    'a dispute that has moved no money has no balance transactions'
);

select * from finish();
rollback;
