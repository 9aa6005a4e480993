begin;
select plan(5);
\ir ../support.sql

select is(
    wallet.count_recharges(),
    '{
        "requested": 0, "calling": 0, "unknown": 0, "processing": 0, "requires_action": 0, "unresolved": 0,
        "succeeded": 0, "declined": 0, "canceled": 0
    }',
    'every state has its number, so that a graph has no gap'
);
select set_eq(
    'select jsonb_object_keys(wallet.count_recharges())',
    $$
        select quoted[1]
        from pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''', 'g') as quoted
        where conname = 'recharge_state_check'
    $$,
    'and no state is forgotten'
);

-- An attempt of a wallet of its own, closed so long ago; null: open.
create function pg_temp.attempt(p_name text, p_state text, p_closed_for interval default null) returns void
language sql
as $$
    insert into wallet.recharge_attempts (
        org_id, id, state, amount_pence, currency, stripe_customer_id, stripe_payment_method_id, balance_pence, closed_at
    )
    values (
        pg_temp.open_wallet(p_name), gen_random_uuid(), p_state, 5000, 'gbp', 'cus_1', 'pm_1', 100, now() - p_closed_for
    )
$$;

do $$
begin
    perform pg_temp.attempt('a', 'requested');
    perform pg_temp.attempt('b', 'unresolved');
    perform pg_temp.attempt('c', 'unresolved');
    perform pg_temp.attempt('d', 'succeeded', '1 minute');
    perform pg_temp.attempt('e', 'declined', '23 hours 59 minutes');
    perform pg_temp.attempt('f', 'declined', '1 hour');
    perform pg_temp.attempt('g', 'declined', '1 day');
    perform pg_temp.attempt('h', 'canceled', '30 days');
end $$;
select is(
    wallet.count_recharges(),
    '{
        "requested": 1, "calling": 0, "unknown": 0, "processing": 0, "requires_action": 0, "unresolved": 2,
        "succeeded": 1, "declined": 2, "canceled": 0
    }',
    'what is open counts however old it is, and what ended for a day'
);
select is(
    (select provolatile::text from pg_proc where oid = 'wallet.count_recharges()'::regprocedure), 's',
    'a read-only standby can answer it'
);
select is(
    (
        select array_agg(role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.count_recharges()', 'execute')
    ),
    null,
    'it is internal'
);

select * from finish();
rollback;
