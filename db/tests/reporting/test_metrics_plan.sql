begin;
select plan(7);
\ir ../support.sql

-- What is over: a long history of payments, messages and calls, written past the functions for speed.
do $$
begin
    perform pg_temp.open_wallet('acme', 100);
end $$;
insert into wallet.organizations (id)
select pg_temp.org(n::text) from generate_series(0, 999) as n;
insert into wallet.processed_stripe_webhooks (event_id, event_type, status, event_data, received_at, processed_at)
select
    'evt_' || n, 'payment_intent.succeeded', 'processed', jsonb_build_object('id', n, 'padding', repeat('x', 500)),
    now() - interval '30 days' - n * interval '1 minute', now() - interval '30 days' - n * interval '1 minute'
from generate_series(1, 5000) as n;
insert into wallet.outbox_messages (topic, payload, status, delivered_at, next_try_at)
select 'topup_completed', jsonb_build_object('n', n, 'padding', repeat('x', 500)), 'delivered', now(), now()
from generate_series(1, 5000) as n;
insert into wallet.recharge_attempts (
    org_id, id, state, amount_pence, currency, stripe_customer_id, stripe_payment_method_id, balance_pence, closed_at
)
select
    pg_temp.org((n % 1000)::text), gen_random_uuid(), 'succeeded', 5000, 'gbp', 'cus_' || repeat('x', 200), 'pm_1', 100,
    now() - interval '30 days' - n * interval '1 hour'
from generate_series(1, 20000) as n;
insert into wallet.calls (
    org_id, call_id, source, placed_at, duration_seconds, cost_pence, charged_pence, owed_pence, cost_breakdown
)
select
    pg_temp.org('acme'), n::text, 'webhook', now() - interval '30 days' - n * interval '1 minute', 60, 70, 0, 70,
    jsonb_build_object('padding', repeat('x', 200))
from generate_series(1, 5000) as n;
insert into wallet.unbilled_calls (vapi_call_id, report, told_by, error_code, error_message, billed_at)
select n::text, jsonb_build_object('padding', repeat('x', 200)), 'webhook', 'x', 'x', now()
from generate_series(1, 5000) as n;
insert into wallet.credit_reservations (
    org_id, call_id, status, requested_minutes, estimated_minutes, requested_pence, reserved_pence, expires_at,
    closed_at
)
select pg_temp.org('acme'), n::text, 'released', 5, 5, 500, 500, now() - interval '1 hour', now()
from generate_series(1, 20000) as n;
insert into wallet.wallet_freezes (
    org_id, cause, stripe_id, reason, frozen_by, lifted_at, lifted_by, lifted_because
)
select pg_temp.org('acme'), 'dispute', 'dp_' || n, repeat('x', 200), 'stripe', now(), 'ann', 'Cleared'
from generate_series(1, 5000) as n;
analyze wallet.processed_stripe_webhooks, wallet.outbox_messages, wallet.recharge_attempts, wallet.calls,
wallet.unbilled_calls, wallet.credit_reservations, wallet.wallet_freezes;

-- Pages that a statement reads, those of the functions that it calls among them.
create function pg_temp.pages(p_statement text) returns integer
language plpgsql
as $$
declare
    v_plan jsonb;
begin
    execute p_statement;
    execute 'explain (analyze, buffers, timing off, format json) ' || p_statement into v_plan;
    return (v_plan #>> '{0,Plan,Shared Hit Blocks}')::integer + (v_plan #>> '{0,Plan,Shared Read Blocks}')::integer;
end;
$$;

select cmp_ok(
    (select sum(pg_relation_size(c.oid)) / 8192 from pg_class as c where c.relnamespace = 'wallet'::regnamespace), '>',
    2000::numeric, 'there is something to read'
);
select cmp_ok(pg_temp.pages(statement), '<', 120, statement || ' reads a few pages of it')
from unnest(
    array[
        'select wallet.get_queue_stats()',
        'select wallet.get_health()',
        'select wallet.get_metrics()',
        'select wallet.get_webhook_queue_health()',
        'select wallet.list_failed_events(20)'
    ]
) as statement;
select cmp_ok(pg_temp.pages('select * from wallet.billing_success_rate'), '>', 120, 'unlike what reads a history');

select * from finish();
rollback;
