-- Which columns each role may read. Nobody may write any.
begin;
select plan(47);

create temporary table relation as
select oid, relname::text as name from pg_class
where relnamespace = 'wallet'::regnamespace and relkind in ('r', 'v', 'p', 'm', 'f');

-- What a tenant sees: neither what a service costs its seller nor what only the machinery needs.
create temporary table visible (relation, columns) as
values
('agents', array['org_id', 'id', 'name', 'phone_number_id', 'vapi_assistant_id', 'created_at', 'updated_at']),
('billing_success_rate', array[]::text[]),
('call_reconciliations', array[]::text[]),
('call_settings', array[]::text[]),
(
    'calls',
    array[
        'org_id', 'call_id', 'vapi_call_id', 'direction', 'assistant_id', 'phone_number_id', 'ended_reason',
        'placed_at', 'started_at', 'ended_at', 'duration_seconds', 'cost_pence', 'charged_pence', 'owed_pence',
        'cost_breakdown', 'transaction_id', 'created_at', 'updated_at'
    ]
),
('consistency_checks', array[]::text[]),
(
    'credit_reservations',
    array[
        'org_id', 'id', 'call_id', 'vapi_call_id', 'status', 'requested_minutes', 'estimated_minutes',
        'requested_pence', 'reserved_pence', 'duration_seconds', 'actual_cost_pence', 'charged_pence',
        'owed_pence', 'transaction_id', 'expires_at', 'created_at', 'updated_at', 'closed_at'
    ]
),
(
    'credit_transactions',
    array[
        'org_id', 'entry_number', 'id', 'created_at', 'type', 'direction', 'amount_pence', 'balance_before_pence',
        'balance_after_pence', 'client_charged_pence', 'call_id', 'vapi_call_id', 'description'
    ]
),
('exchange_rates', array[]::text[]),
('freeze_rules', array[]::text[]),
('gate_limits', array[]::text[]),
('ledger_totals', array[]::text[]),
('org_credentials', array[]::text[]),
('organization_changes', array[]::text[]),
(
    'organizations',
    array[
        'id', 'name', 'email', 'currency', 'wallet_balance_pence', 'wallet_low_balance_pence', 'debt_limit_pence',
        'wallet_auto_recharge', 'wallet_recharge_amount_pence', 'stripe_default_pm_id', 'reserved_pence',
        'owed_pence', 'total_topped_up_pence', 'total_spent_pence', 'total_calls', 'last_entry_number',
        'last_entry_at', 'created_at', 'updated_at'
    ]
),
('outbox_messages', array[]::text[]),
('payment_methods', array['org_id', 'id', 'brand', 'last4', 'exp_month', 'exp_year', 'created_at', 'detached_at']),
(
    'phone_numbers',
    array[
        'org_id', 'id', 'number', 'status', 'provider', 'provider_number_id', 'price_pence', 'cost_breakdown',
        'transaction_id', 'refund_transaction_id', 'failure', 'provisioned_at', 'updated_at', 'released_at'
    ]
),
('price_units', array[]::text[]),
('prices', array[]::text[]),
('processed_stripe_webhooks', array[]::text[]),
('provider_calls', array[]::text[]),
(
    'recharge_attempts',
    array[
        'org_id', 'id', 'state', 'amount_pence', 'currency', 'stripe_payment_method_id',
        'stripe_payment_intent_id', 'balance_pence', 'decline_code', 'created_at', 'updated_at', 'closed_at'
    ]
),
(
    'recharge_settings',
    array[
        'org_id', 'max_per_day', 'max_per_month', 'max_pence_per_day', 'max_pence_per_month',
        'cooldown_seconds', 'max_declines', 'declines', 'blocked_payment_method_id', 'blocked_because',
        'updated_at'
    ]
),
('services', array[]::text[]),
('sms_callbacks', array[]::text[]),
(
    'sms_messages',
    array[
        'org_id', 'message_id', 'twilio_sid', 'status', 'segments', 'price_pence', 'cost_breakdown',
        'transaction_id', 'refund_transaction_id', 'error_code', 'charged_at', 'updated_at'
    ]
),
('stripe_backfills', array[]::text[]),
('stripe_disputes', array[]::text[]),
('stripe_refunds', array[]::text[]),
('stripe_settings', array[]::text[]),
('topup_limits', array['currency', 'min_pence', 'max_pence', 'presets_pence']),
('topup_plans', array['plan', 'name', 'currency', 'price_pence', 'credit_pence', 'bonus_pence', 'active']),
(
    'topups',
    array[
        'org_id', 'id', 'kind', 'status', 'amount_pence', 'price_pence', 'bonus_pence', 'charged_pence',
        'refunded_pence', 'reversed_pence', 'reversals', 'currency', 'plan', 'stripe_checkout_session_id',
        'stripe_payment_intent_id', 'checkout_url', 'expires_at', 'last_error', 'created_at', 'updated_at'
    ]
),
('unbilled_calls', array[]::text[]),
('vapi_webhook_reliability', array[]::text[]),
('wallet_freezes', array[]::text[]),
('workers', array[]::text[]);

select set_eq('select relation from visible', 'select name from relation', 'no table or view is forgotten here');

create function pg_temp.readable(p_role text, p_relation text) returns setof text
language sql
as $$
    select attname::text from pg_attribute
    where
        attrelid = format('wallet.%I', p_relation)::regclass
        and attnum > 0
        and not attisdropped
        and has_column_privilege(p_role, attrelid, attnum, 'select')
$$;

select set_eq(
    format('select pg_temp.readable(''authenticated'', %L)', relation),
    columns,
    format('of %s a tenant sees %s columns', relation, cardinality(columns))
)
from visible;

-- Nobody else sees, and nobody writes.
select is_empty(
    format(
        $$
            select relation.name, privilege
            from relation, unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) as privilege
            where has_any_column_privilege(%L, oid, privilege)
        $$,
        role
    ),
    format('%s has no privilege on any column', role)
)
from unnest(array['wallet_webhook', 'wallet_worker', 'wallet_gateway', 'anon', 'public']) as role;
select is_empty(
    format(
        $$
            select relation.name, privilege
            from relation, unnest(array['INSERT', 'UPDATE', 'REFERENCES']) as privilege
            where has_any_column_privilege(%L, oid, privilege)
        $$,
        role
    ),
    format('%s may write no column', role)
)
from unnest(array['service_role', 'authenticated']) as role;
select is_empty(
    $$
        select name, attname
        from relation
        inner join pg_attribute on attrelid = oid
        where attnum > 0 and not attisdropped and not has_column_privilege('service_role', oid, attnum, 'select')
    $$,
    'service_role reads every column'
);
select * from finish();
rollback;
