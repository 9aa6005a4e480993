begin;
select plan(20);
\ir ../support.sql
\ir events.sql

-- What comes of a paid event, by the wallet's settings and the event's own word.
create function pg_temp.outcome_for(p_livemode boolean, p_account text, p_event jsonb, p_object jsonb) returns text
language plpgsql
as $$
declare
    v_name constant text := format('live %s, account %s, event %s', p_livemode, p_account, p_event);
    v_answer jsonb;
begin
    perform pg_temp.open_wallet(v_name);
    perform wallet.configure_stripe(p_livemode, 'test', p_account);
    v_answer := pg_temp.deliver(
        'evt_' || md5(v_name || p_object::text),
        'payment_intent.succeeded',
        pg_temp.intent(v_name, jsonb_build_object('id', 'pi_' || md5(v_name)) || p_object),
        p_event
    );
    return concat_ws(' ', v_answer ->> 'outcome', v_answer ->> 'error', pg_temp.balance(pg_temp.org(v_name)));
end;
$$;

select is(
    pg_temp.outcome_for(livemode, account, event::jsonb, '{}'), outcome,
    format(
        'in %s mode, listening to %s: an event %s is %s',
        case when livemode then 'live' else 'test' end, coalesce(account, 'our own account'), event, outcome
    )
)
from (
    values
    (false, null, '{"livemode": false}', 'processed 5000'),
    (true, null, '{"livemode": true}', 'processed 5000'),
    (true, null, '{"livemode": false}', 'ignored 0'),
    (false, null, '{"livemode": true}', 'failed livemode_mismatch 0'),
    (false, null, '{"livemode": false, "account": null}', 'processed 5000'),
    (false, null, '{"livemode": false, "account": "acct_2"}', 'ignored 0'),
    (false, 'acct_1', '{"livemode": false, "account": "acct_1"}', 'processed 5000'),
    (false, 'acct_1', '{"livemode": false, "account": "acct_2"}', 'ignored 0'),
    (false, 'acct_1', '{"livemode": false}', 'ignored 0'),
    (true, 'acct_1', '{"livemode": true, "account": "acct_1"}', 'processed 5000'),
    (true, 'acct_1', '{"livemode": true, "account": "acct_2"}', 'ignored 0')
) as setting (livemode, account, event, outcome);

-- What is none of our business is not looked into.
select is(
    pg_temp.outcome_for(livemode, account, event::jsonb, '{"metadata": {"type": "wallet_topup"}}'), 'ignored 0',
    format('an event %s is ignored, also where it names no organization of ours', event)
)
from (
    values
    (true, null, '{"livemode": false}'),
    (false, null, '{"livemode": false, "account": "acct_2"}')
) as setting (livemode, account, event);
select is(
    pg_temp.outcome_for(false, null, '{"livemode": false, "account": "acct_2"}', '{"currency": "eur"}'), 'ignored 0',
    'or is in another currency'
);

do $$ begin perform wallet.configure_stripe(true, 'test', 'acct_1'); end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_' || md5(event), 'refund.created', pg_temp.refund('nobody'), event::jsonb),
    jsonb_build_object('outcome', outcome),
    format('a refund that says %s is %s', event, outcome)
)
from (
    values
    ('{"livemode": true, "account": "acct_1"}', 'pending'),
    ('{"livemode": true, "account": "acct_2"}', 'ignored'),
    ('{"livemode": false, "account": "acct_1"}', 'ignored')
) as refund (event, outcome);
do $$ begin perform wallet.configure_stripe(false, 'test'); end $$;
select pg_temp.answers(
    pg_temp.deliver('evt_live_refund', 'refund.created', pg_temp.refund('nobody'), '{"livemode": true}'),
    '{"outcome": "failed"}',
    'a live refund in test mode is for a person to see'
);
select isnt(
    (select event_data from wallet.processed_stripe_webhooks where event_id = 'evt_live_refund'), null,
    'all of them are stored'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
