begin;
select plan(3);
\ir ../support.sql
\ir ../stripe/events.sql

create function pg_temp.announced(p_what text, p_changes jsonb default '{}') returns jsonb
language plpgsql
as $$
begin
    perform wallet.announce_recharge(
        jsonb_populate_record(
            null::wallet.recharge_attempts,
            jsonb_build_object(
                'org_id', pg_temp.org('acme'), 'id', pg_temp.org('attempt'), 'amount_pence', 5000, 'currency', 'gbp'
            )
            || p_changes
        ),
        'recharge_failed',
        p_what
    );
    return (
        select payload from wallet.outbox_messages
        where org_id = pg_temp.org('acme') and topic = 'recharge_failed'
        order by created_at desc, payload ->> 'decline_code' nulls last
        limit 1
    );
end;
$$;

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

select is(
    pg_temp.announced('was declined: No funds'),
    jsonb_build_object(
        'message', 'An automatic recharge of £50.00 was declined: No funds.',
        'attempt_id', pg_temp.org('attempt'),
        'amount_pence', 5000,
        'stripe_payment_intent_id', null,
        'decline_code', null
    ),
    'people get a sentence, programs the numbers'
);
select pg_temp.answers(
    pg_temp.announced(
        'was declined: Your card was declined.', '{"stripe_payment_intent_id": "pi_1", "decline_code": "lost_card"}'
    ),
    '{
        "message": "An automatic recharge of £50.00 was declined: Your card was declined.",
        "stripe_payment_intent_id": "pi_1", "decline_code": "lost_card"
    }',
    'a sentence of Stripe''s keeps its one full stop'
);
select is(pg_temp.messages('acme', 'recharge_failed'), 2::bigint, 'one message each');

select * from finish();
rollback;
