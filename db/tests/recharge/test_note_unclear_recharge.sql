begin;
select plan(10);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

-- The state that an attempt ends in, claimed so often and first asked so long ago.
create function pg_temp.unclear(
    p_claims integer, p_age interval, p_result jsonb, p_intent_told boolean default false
) returns text
language plpgsql
as $$
declare
    v_name constant text := gen_random_uuid();
begin
    perform pg_temp.rechargeable(v_name, 0);
    for i in 1 .. p_claims loop
        perform pg_temp.later(v_name, '2 minutes');
        perform pg_temp.claim(v_name);
    end loop;
    update wallet.recharge_attempts set first_called_at = now() - p_age where org_id = pg_temp.org(v_name);
    perform wallet.note_unclear_recharge(pg_temp.attempt(v_name), p_result, p_intent_told, null);
    return (pg_temp.attempt(v_name)).state;
end;
$$;

select is(pg_temp.unclear(claims, age::interval, result, told), state, description)
from (
    values
    (1, '1 second', '{"error": {"http_status": 404, "type": "invalid_request_error"}}'::jsonb, false, 'declined',
    'a first call that was refused has charged nothing'),
    (2, '1 minute', '{"error": {"http_status": 404, "type": "invalid_request_error"}}', false, 'unknown',
    'a retry that was refused says nothing of the first call'),
    (1, '1 second', '{"error": {"http_status": 402, "type": "card_error"}}', true, 'unknown',
    'an intent that was told, and not taken, is no refusal'),
    (1, '1 second', '{"error": {"http_status": 409, "type": "invalid_request_error"}}', false, 'unknown',
    'nor is a key in use'),
    (1, '1 second', '{"error": {"http_status": 401, "type": "invalid_request_error"}}', false, 'unknown',
    'nor a wrong API key'),
    (1, '1 second', '{"error": {"http_status": null, "type": "api_connection_error"}}', false, 'unknown',
    'nor silence'),
    (9, '25 hours', '{"error": {"http_status": 500, "type": "api_error"}}', false, 'unknown',
    'after a day it is still asked about'),
    (9, '49 hours', '{"error": {"http_status": 500, "type": "api_error"}}', false, 'unresolved',
    'after two a person is'),
    (1, '1 second', '{"payment_intents": []}', false, 'unresolved', 'as when Stripe knows nothing of it')
) as answers (claims, age, result, told, state, description);
select is(
    (select count(*) from wallet.outbox_messages where topic = 'recharge_unresolved'), 2::bigint,
    'the person is told'
);

select * from finish();
rollback;
