begin;
select plan(108);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

-- A wallet that is being recharged.
create function pg_temp.calling(p_name text) returns uuid
language plpgsql
as $$
begin
    perform pg_temp.rechargeable(p_name, 0);
    perform pg_temp.claim(p_name);
    return pg_temp.org(p_name);
end;
$$;

create function pg_temp.topup_status(p_name text) returns text
language sql stable
return (select status from wallet.topups where id = (pg_temp.attempt(p_name)).id);

-- Paid, whoever tells first.
create function pg_temp.paid(p_tellers text[]) returns text
language plpgsql
as $$
declare
    v_name constant text := array_to_string(p_tellers, ', ');
    v_teller text;
begin
    perform pg_temp.calling(v_name);
    foreach v_teller in array p_tellers loop
        case v_teller
            when 'response' then
                perform pg_temp.report(v_name, jsonb_build_object('payment_intent', pg_temp.recharge_intent(v_name)));
            when 'event' then
                perform pg_temp.tell('payment_intent.succeeded', pg_temp.recharge_intent(v_name));
            when 'look-up' then
                perform pg_temp.report(
                    v_name,
                    jsonb_build_object(
                        'payment_intents',
                        jsonb_build_array(
                            pg_temp.intent(v_name, '{"id": "pi_other"}'), pg_temp.recharge_intent(v_name)
                        )
                    )
                );
            when 'time-out' then
                perform pg_temp.report(v_name, '{"error": {"http_status": null, "type": "api_connection_error"}}');
        end case;
    end loop;
    return concat_ws(', ', pg_temp.attempts(v_name), pg_temp.payments(v_name));
end;
$$;
select is(
    pg_temp.paid(tellers), 'succeeded, balance 5000, credits 1, top-ups paid',
    format('told by %s: one credit', array_to_string(tellers, ', then '))
)
from (
    values
    (array['response']), (array['event']), (array['look-up']), (array['response', 'event']),
    (array['event', 'response']), (array['event', 'look-up']), (array['look-up', 'event', 'response']),
    (array['response', 'response', 'event', 'event']), (array['time-out', 'event']), (array['time-out', 'response']),
    (array['time-out', 'time-out', 'look-up']), (array['event', 'time-out'])
) as told (tellers);

do $$ begin perform pg_temp.calling('acme'); end $$;
select pg_temp.answers(
    pg_temp.report('acme', jsonb_build_object('payment_intent', pg_temp.recharge_intent('acme'))),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'attempt_id', (pg_temp.attempt('acme')).id, 'state',
        'succeeded',
        'outcome', 'processed', 'amount_pence', 5000, 'balance_after', 5000
    ),
    'the answer tells state and credit'
);
select is(pg_temp.obstacle('acme'), 'balance_sufficient', 'the slot is free again');

-- Declined: once, though response and event both tell.
do $$ begin perform pg_temp.calling('declined'); end $$;
select pg_temp.answers(
    pg_temp.report('declined', pg_temp.decline('declined')), '{"success": true, "state": "declined"}',
    'a declined card ends the attempt'
);
select pg_temp.answers(
    to_jsonb(pg_temp.attempt('declined')),
    '{"decline_code": "insufficient_funds", "last_error": "Your card was declined."}', 'with the bank''s reason'
);
do $$
begin
    perform pg_temp.tell(
        'payment_intent.payment_failed', pg_temp.decline('declined') #> '{error,payment_intent}'
    );
    perform pg_temp.report('declined', pg_temp.decline('declined'));
end $$;
select is(
    (select declines from wallet.recharge_settings where org_id = pg_temp.org('declined')), 1,
    'though response and event both tell, it counts once'
);
select is(pg_temp.messages('declined', 'recharge_failed'), 1::bigint, 'and is told once');
select is(pg_temp.messages('declined', 'payment_failed'), 0::bigint, 'as a recharge, not as a payment too');
select is(pg_temp.topup_status('declined'), 'failed', 'its top-up has failed');
select is(pg_temp.obstacle('declined'), 'cooldown', 'the cooldown is kept');
do $$ begin perform pg_temp.spend('declined', 1) from generate_series(1, 10); end $$;
select is(pg_temp.attempts('declined'), 'declined', 'spending on charges nothing before it is over');

-- The event first.
do $$
begin
    perform pg_temp.calling('declined by event');
    perform pg_temp.tell(
        'payment_intent.payment_failed', pg_temp.decline('declined by event') #> '{error,payment_intent}'
    );
    perform pg_temp.report('declined by event', pg_temp.decline('declined by event'));
end $$;
select is(
    (select declines from wallet.recharge_settings where org_id = pg_temp.org('declined by event')), 1,
    'the event first and the response after it count once as well'
);

-- After max_declines, or at once when it is for good.
do $$
begin
    perform pg_temp.rechargeable('poor', 0);
    for number in 1..3 loop
        perform pg_temp.recharge('poor', 'declined');
        perform pg_temp.later('poor', '16 minutes');
        perform pg_temp.spend('poor', 1);
    end loop;
end $$;
select is(pg_temp.attempts('poor'), 'declined declined declined', 'three declines in a row are the last');
select is(pg_temp.obstacle('poor'), 'payment_method_blocked', 'the card is not tried again');
select is(pg_temp.messages('poor', 'auto_recharge_disabled'), 1::bigint, 'which is told once');
do $$ begin perform pg_temp.spend('poor', 1) from generate_series(1, 5); end $$;
select is(pg_temp.attempts('poor'), 'declined declined declined', 'however much is spent');
do $$
begin
    perform pg_temp.tell('payment_method.attached', pg_temp.card('{"id": "pm_new", "customer": "cus_poor"}'));
    perform pg_temp.spend('poor', 1);
end $$;
select pg_temp.answers(
    to_jsonb(pg_temp.attempt('poor')), '{"state": "requested", "stripe_payment_method_id": "pm_new"}',
    'a new card ends that'
);
do $$
begin
    perform pg_temp.calling('stolen');
    perform pg_temp.report('stolen', pg_temp.decline('stolen', 'stolen_card'));
end $$;
select is(pg_temp.obstacle('stolen'), 'payment_method_blocked', 'a hard decline blocks at once');
do $$
begin
    perform pg_temp.tell('payment_method.automatically_updated',
    pg_temp.card('{"id": "pm_stolen", "customer": "cus_stolen"}'));
end $$;
select is(pg_temp.obstacle('stolen'), 'cooldown', 'until its bank issues the card anew');
do $$
begin
    perform pg_temp.calling('advised');
    perform pg_temp.report(
        'advised', pg_temp.decline('advised', 'generic_decline', '{"advice_code": "do_not_try_again"}')
    );
end $$;
select is(pg_temp.obstacle('advised'), 'payment_method_blocked', 'the network''s advice is taken');

-- A refusal without a payment intent: nothing was charged.
create function pg_temp.refused(p_name text, p_error jsonb) returns text
language plpgsql
as $$
begin
    perform pg_temp.calling(p_name);
    perform pg_temp.report(p_name, jsonb_build_object('error', p_error));
    return concat_ws(', ', pg_temp.attempts(p_name), pg_temp.topup_status(p_name));
end;
$$;
select is(pg_temp.refused(error, error::jsonb), 'declined, failed', format('%s: nothing was charged', error))
from
    unnest(
        array[
            '{"http_status": 402, "type": "card_error", "code": "card_declined"}',
            '{"http_status": 400, "type": "invalid_request_error", "code": "payment_method_unexpected_state"}',
            '{"http_status": 404, "type": "invalid_request_error", "code": "resource_missing"}'
        ]
    ) as error;

-- Anything else is unknown, and the slot stays taken.
select is(pg_temp.refused(error, error::jsonb), 'unknown, pending', format('%s proves nothing', error))
from
    unnest(
        array[
            '{"http_status": null, "type": "api_connection_error"}',
            '{"http_status": 500, "type": "api_error", "message": "An unknown error occurred"}',
            '{"http_status": 502}', '{"http_status": 503, "type": "api_error"}', '{}',
            '{"http_status": 409, "type": "idempotency_error", "code": "idempotency_key_in_use"}',
            '{"http_status": 400, "type": "idempotency_error"}',
            '{"http_status": 429, "type": "invalid_request_error", "code": "rate_limit"}',
            '{"http_status": 401, "type": "invalid_request_error"}',
            '{"http_status": 403, "type": "invalid_request_error"}',
            '{"http_status": 402, "type": "api_error"}', '{"http_status": 402}'
        ]
    ) as error;
select is(pg_temp.obstacle('{}'), 'attempt_open', 'the slot stays taken');
select is(
    (select declines from wallet.recharge_settings where org_id = pg_temp.org('{}')), 0, 'the card has declined nothing'
);
select is((pg_temp.attempt('{}')).last_error, 'Stripe did not answer.', 'what is known of it is kept');
select is(
    (pg_temp.attempt('{"http_status": 500, "type": "api_error", "message": "An unknown error occurred"}')).last_error,
    'An unknown error occurred',
    'in Stripe''s words where there are any'
);

create function pg_temp.answered(p_name text, p_result jsonb) returns text
language plpgsql
as $$
begin
    perform pg_temp.calling(p_name);
    perform pg_temp.report(p_name, p_result);
    return pg_temp.attempts(p_name);
end;
$$;
select is(pg_temp.answered(result, result::jsonb), 'unknown', format('%s proves nothing', result))
from
    unnest(
        array[
            '{"payment_intent": null}', '{"payment_intent": {}}', '{"error": null}', '{"error": "x"}',
            '{"payment_intent": {"id": "pi_x", "status": "succeeded", "metadata": {"attempt_id": "another"}}}'
        ]
    ) as result;

-- Asked again with the same key, after pauses that grow to an hour, until the key is old.
do $$ begin perform pg_temp.calling('lost'); end $$;
create function pg_temp.pauses(p_name text, p_number integer) returns text
language plpgsql
as $$
declare
    v_pauses text;
    v_pause interval;
begin
    for number in 1..p_number loop
        if number > 1 and pg_temp.claim(p_name) ->> 'action' is distinct from 'charge' then
            raise exception 'the worker is not told to charge';
        end if;
        perform pg_temp.report(p_name, '{"error": {"http_status": 500, "type": "api_error"}}');
        select date_trunc('second',
        next_try_at - updated_at + interval '0.5 seconds') into v_pause from pg_temp.attempt(p_name);
        v_pauses := concat_ws(' ', v_pauses, extract(epoch from v_pause)::integer);
        perform pg_temp.later(p_name, v_pause + interval '1 second');
    end loop;
    return v_pauses;
end;
$$;
select is(
    pg_temp.pauses('lost', 13), '2 4 8 16 32 64 128 256 512 1024 2048 3600 3600',
    'it is asked again with the same key after pauses that grow to an hour'
);
do $$ begin perform pg_temp.later('lost', '23 hours'); end $$;
select is(pg_temp.claim('lost') ->> 'action', 'look_up', 'and once its key is old it is looked up');

-- The look-up fails, or the list is empty: never charged again.
do $$ begin perform pg_temp.report('lost', '{"error": {"http_status": 400, "type": "invalid_request_error"}}'); end $$;
select is(pg_temp.attempts('lost'), 'unknown', 'a look-up that is refused proves nothing');
do $$ begin perform pg_temp.later('lost', '2 hours'); end $$;
select is(pg_temp.claim('lost') ->> 'action', 'look_up', 'it is looked up again');
select pg_temp.answers(
    pg_temp.report(
        'lost',
        jsonb_build_object(
            'payment_intents',
            jsonb_build_array(
                pg_temp.intent('lost', '{"id": "pi_other"}'),
                pg_temp.recharge_intent('lost',
                '{"metadata": {"type": "wallet_auto_recharge", "attempt_id": "another"}}')
            )
        )
    ),
    '{"success": true, "state": "unresolved"}',
    'a list without its payment intent leaves it to a person'
);
select is(pg_temp.messages('lost', 'recharge_unresolved'), 1::bigint, 'who is told');
select is(pg_temp.obstacle('lost'), 'attempt_open', 'the slot stays taken');
select is(pg_temp.balance(pg_temp.org('lost')), 0::bigint, 'what others paid is not credited by the way');

create function pg_temp.looked_up_again(p_name text) returns text
language plpgsql
as $$
declare
    v_action text;
begin
    perform pg_temp.later(p_name, '25 hours');
    v_action := pg_temp.claim(p_name) ->> 'action';
    perform pg_temp.report(p_name, '{"payment_intents": []}');
    return format('%s: %s', v_action, (pg_temp.attempt(p_name)).state);
end;
$$;
select is(
    pg_temp.looked_up_again('lost'), 'look_up: unresolved', 'it is looked up now and then, for good measure'
)
from generate_series(1, 2);
select ok(
    next_try_at > clock_timestamp() + interval '30 minutes', 'not every minute'
)
from pg_temp.attempt('lost');
select is(pg_temp.messages('lost', 'recharge_unresolved'), 1::bigint, 'and told of once');
select is(pg_temp.answered('none', '{"payment_intents": []}'), 'unresolved', 'an empty list is a list');

-- Found after all.
select pg_temp.answers(
    pg_temp.report('lost', jsonb_build_object('payment_intents', jsonb_build_array(pg_temp.recharge_intent('lost')))),
    '{"success": true, "state": "succeeded", "balance_after": 5000}',
    'a payment that turns up is credited, and ends it'
);
create function pg_temp.found(p_name text, p_status text) returns text
language plpgsql
as $$
begin
    perform pg_temp.calling(p_name);
    perform pg_temp.report(p_name, '{"payment_intents": []}');
    perform pg_temp.report(
        p_name, jsonb_build_object('payment_intents', jsonb_build_array(pg_temp.unpaid_intent(p_name, p_status)))
    );
    return pg_temp.attempts(p_name);
end;
$$;
select is(pg_temp.found('found ' || status, status), expected, format('found as %s: %s', status, expected))
from (
    values
    ('requires_payment_method', 'declined'), ('canceled', 'canceled'), ('processing', 'processing'),
    ('requires_action', 'requires_action'), ('requires_confirmation', 'processing')
) as found (status, expected);

-- The customer has to authenticate: told, and canceled after a day.
do $$
begin
    perform pg_temp.calling('3ds');
    perform pg_temp.report('3ds', pg_temp.authentication_required('3ds'));
end $$;
select is(pg_temp.attempts('3ds'), 'requires_action', 'a bank that wants its customer to confirm has declined nothing');
select is(
    (select declines from wallet.recharge_settings where org_id = pg_temp.org('3ds')), 0, 'nor does it count as that'
);
select is(pg_temp.messages('3ds', 'recharge_needs_action'), 1::bigint, 'the customer''s part is told');
do $$
begin
    perform pg_temp.tell(
        'payment_intent.payment_failed', pg_temp.authentication_required('3ds') #> '{error,payment_intent}'
    );
end $$;
select is(pg_temp.messages('3ds', 'recharge_needs_action'), 1::bigint, 'once, though the event tells it too');
select is(pg_temp.claim('3ds'), null, 'for a day it is left to the customer');
do $$
begin
    perform pg_temp.later('3ds', '24 hours 1 minute');
    perform pg_temp.claim('3ds');
    perform pg_temp.report('3ds', '{"error": {"http_status": null, "type": "api_connection_error"}}');
end $$;
select is(pg_temp.attempts('3ds'), 'requires_action', 'a cancellation that is lost changes nothing');
do $$ begin perform pg_temp.later('3ds', '2 hours'); end $$;
select is(pg_temp.claim('3ds') ->> 'action', 'cancel', 'it is asked for again');
do $$
begin
    perform pg_temp.report('3ds', jsonb_build_object('payment_intent', pg_temp.unpaid_intent('3ds', 'canceled')));
end $$;
select is(pg_temp.attempts('3ds'), 'canceled', 'and ends the attempt');
select is(pg_temp.topup_status('3ds'), 'canceled', 'with its top-up');
select is(pg_temp.obstacle('3ds'), 'cooldown', 'the next one waits for the cooldown');

do $$
begin
    perform pg_temp.calling('confirmed');
    perform pg_temp.report('confirmed', pg_temp.authentication_required('confirmed'));
    perform pg_temp.later('confirmed', '24 hours 1 minute');
    perform pg_temp.claim('confirmed');
end $$;
select pg_temp.answers(
    pg_temp.report(
        'confirmed',
        jsonb_build_object(
            'error', jsonb_build_object(
                'http_status', 400, 'type', 'invalid_request_error', 'code', 'payment_intent_unexpected_state',
                'payment_intent', pg_temp.recharge_intent('confirmed')
            )
        )
    ),
    '{"state": "succeeded", "balance_after": 5000}',
    'a cancellation that comes too late finds the payment and credits it'
);

-- Stripe is at it.
do $$
begin
    perform pg_temp.calling('slow');
    perform pg_temp.report('slow', jsonb_build_object('payment_intent', pg_temp.unpaid_intent('slow', 'processing')));
end $$;
select is(pg_temp.attempts('slow'), 'processing', 'what Stripe is at is waited for');
do $$
begin
    perform pg_temp.later('slow', '2 days');
    perform pg_temp.claim('slow');
    perform pg_temp.report('slow', '{"payment_intents": []}');
end $$;
select is(
    pg_temp.attempts('slow'), 'processing', 'a list that doesn''t have it changes nothing: Stripe has told of it'
);
select ok(next_try_at > clock_timestamp() + interval '50 minutes', 'it is asked about once an hour')
from pg_temp.attempt('slow');

-- Stripe has charged, but its payment is not to be credited as it is: the slot stays taken.
do $$
begin
    perform pg_temp.calling('short');
    perform pg_temp.report(
        'short', jsonb_build_object('payment_intent', pg_temp.recharge_intent('short', '{"amount_received": 4000}'))
    );
    perform pg_temp.calling('live');
    perform wallet.configure_stripe(true, 'ann');
    perform pg_temp.report('live', jsonb_build_object('payment_intent', pg_temp.recharge_intent('live')));
    perform wallet.configure_stripe(false, 'ann');
end $$;
select is(
    concat_ws(', ', pg_temp.attempts(name), pg_temp.balance(pg_temp.org(name)), pg_temp.obstacle(name)),
    'unknown, 0, attempt_open',
    what
)
from (
    values
    ('short', 'a payment of less than the attempt is not credited, and not asked for again'),
    ('live', 'nor is a test payment in a live wallet')
) as odd (name, what);
select is(
    (pg_temp.attempt('short')).last_error, 'The payment comes to 4000 gbp, its top-up to 5000.', 'the reason is kept'
);

-- Late news of what is closed.
create function pg_temp.late(p_name text, p_news jsonb) returns text
language plpgsql
as $$
begin
    perform pg_temp.report(p_name, p_news);
    return concat_ws(', ', pg_temp.attempts(p_name), pg_temp.topup_status(p_name),
    pg_temp.balance(pg_temp.org(p_name)));
end;
$$;
create temporary table late (news) as
values ('{"error": {"http_status": 500}}'), ('{"payment_intents": []}'),
('{"error": {"http_status": 402, "type": "card_error"}}');
do $$
begin
    perform pg_temp.calling('late');
    perform pg_temp.report('late', '{"payment_intents": []}');
    perform wallet.resolve_recharge(pg_temp.org('late'), (pg_temp.attempt('late')).id, 'ann', 'Stripe has none');
end $$;
select is(pg_temp.late('late', news::jsonb), 'canceled, canceled, 0', format('%s after the end changes nothing', news))
from late;
select is(
    pg_temp.late('late', jsonb_build_object('payment_intent', pg_temp.unpaid_intent('late', status))),
    'canceled, canceled, 0',
    format('nor does a payment intent that is %s', status)
)
from unnest(array['processing', 'requires_action', 'requires_payment_method']) as status;
select is(
    pg_temp.late('late', jsonb_build_object('payment_intent', pg_temp.recharge_intent('late'))),
    'succeeded, paid, 5000',
    'a payment does'
);
select is(
    pg_temp.late('late', jsonb_build_object('payment_intent', pg_temp.unpaid_intent('late', 'canceled'))),
    'succeeded, paid, 5000',
    'and nothing after it'
);

-- Misuse.
select pg_temp.answers(
    wallet.record_recharge_result(org_id, attempt_id, '{"error": {}}'),
    '{"success": false, "error": "recharge_not_found"}', what
)
from (
    values
    (pg_temp.org('late'), gen_random_uuid(), 'an unknown attempt is refused'),
    (pg_temp.org('acme'), (pg_temp.attempt('late')).id, 'so is another organization''s')
) as unknown (org_id, attempt_id, what);
select pg_temp.raises(
    format('select wallet.record_recharge_result(%L, %L, %L)', org_id, attempt_id, result), sqlstate, field,
    format('%L: %s', result, field)
)
from (
    values
    (null, pg_temp.org('x'), '{"error": {}}', 'WL001', 'p_org_id'),
    (pg_temp.org('x'), null, '{"error": {}}', 'WL001', 'p_attempt_id'),
    (pg_temp.org('x'), pg_temp.org('x'), null, 'WL006', 'p_result'),
    (pg_temp.org('x'), pg_temp.org('x'), '{}', 'WL006', 'p_result'),
    (pg_temp.org('x'), pg_temp.org('x'), '[]', 'WL006', 'p_result'),
    (pg_temp.org('x'), pg_temp.org('x'), '"error"', 'WL006', 'p_result')
) as misuse (org_id, attempt_id, result, sqlstate, field);

select pg_temp.books_are_right();

select * from finish();
rollback;
