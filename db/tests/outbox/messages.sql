-- What the tests of the outbox share. Included with \ir after ../support.sql.

-- A message is told from others by its sentence.
create function pg_temp.emit(p_message text, p_topic text default 'low_balance') returns void
language sql
return wallet.emit_message(p_topic, pg_temp.org('acme'), jsonb_build_object('message', p_message));

create function pg_temp.message(p_message text) returns wallet.outbox_messages
language sql stable
as $$ select m from wallet.outbox_messages as m where payload ->> 'message' = p_message $$;

-- The sentences that a worker gets.
create function pg_temp.claim(p_worker text, p_limit integer default 20) returns text
language sql
as $$
    select string_agg(message #>> '{payload,message}', ', ')
    from jsonb_array_elements(wallet.claim_messages(p_worker, p_limit) -> 'messages') as message
$$;

create function pg_temp.record(
    p_message text, p_worker text, p_delivered_to text[] default '{}', p_error text default null
) returns jsonb
language sql
return wallet.record_delivery((pg_temp.message(p_message)).id, p_worker, p_delivered_to, p_error);

-- The pauses and leases of all messages are over.
create function pg_temp.let_time_pass() returns void
language sql
as $$ update wallet.outbox_messages set next_try_at = now() where status = 'pending' $$;
