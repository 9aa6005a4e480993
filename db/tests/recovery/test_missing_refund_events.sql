begin;
select plan(11);
\ir ../support.sql
\ir ../stripe/events.sql
\ir objects.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

create function pg_temp.missing(p_status text, p_changes jsonb default '{}') returns text
language sql
return array_to_string(
    wallet.missing_refund_events(pg_temp.listed_refund(jsonb_build_object('status', p_status) || p_changes)), ' '
);

select is(pg_temp.missing('succeeded'), '', 'the refund of a payment that no wallet knows is none of ours');
do $$ begin perform pg_temp.deliver('evt_1', 'payment_intent.requires_action', pg_temp.intent()); end $$;
select is(pg_temp.missing('succeeded'), '', 'nor is one of a payment that was not credited');

do $$ begin perform pg_temp.deliver('evt_2', 'payment_intent.succeeded', pg_temp.intent()); end $$;
select is(pg_temp.missing(status), event_type, format('a refund that is %s was not told of', status))
from (
    values
    ('pending', 'refund.updated'),
    ('requires_action', 'refund.updated'),
    ('succeeded', 'refund.updated'),
    ('canceled', 'refund.updated'),
    ('failed', 'refund.failed')
) as refund (status, event_type);
select is(
    pg_temp.missing('succeeded', '{"payment_intent": null}'), '', 'a refund without a payment intent is none of ours'
);

do $$ begin perform pg_temp.deliver('evt_3', 'refund.created', pg_temp.listed_refund()); end $$;
select is(pg_temp.missing('succeeded'), '', 'a refund that is known as it is needs nothing');
select is(pg_temp.missing('failed'), 'refund.failed', 'one that has failed since is to be told of');
select is(pg_temp.missing('succeeded', '{"id": "re_2"}'), 'refund.updated', 'and so is a second one');

select * from finish();
rollback;
