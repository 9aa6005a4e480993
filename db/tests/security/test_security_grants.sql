-- Which role may call which function.
begin;
select plan(15);

create temporary table caller (role) as
values
('service_role'), ('wallet_webhook'), ('wallet_worker'), ('wallet_gateway'), ('authenticated'), ('anon'), ('public');

-- Who may call what. A function that is not named here may be called by its owner alone.
create temporary table may_execute (function, roles) as
values
('add_wallet_credits', array['service_role']),
('adjust_wallet', array['service_role']),
('attach_checkout_session', array['service_role', 'wallet_webhook']),
('attach_sms_sid', array['service_role']),
('attach_stripe_customer', array['service_role', 'wallet_webhook']),
('balance_after_entry', array['service_role', 'authenticated']),
('balance_at', array['service_role', 'authenticated']),
('begin_backfill', array['service_role']),
('begin_own_topup', array['authenticated']),
('begin_topup', array['service_role', 'wallet_webhook']),
('bill_call', array['service_role']),
('charge_sms', array['service_role']),
('charge_usage', array['service_role']),
('check_balance_and_deduct_asset_cost', array['service_role']),
('check_billing_gate', array['service_role']),
('check_books', array['service_role', 'wallet_worker']),
('claim_call_reconciliation', array['service_role', 'wallet_worker']),
('claim_messages', array['service_role', 'wallet_worker']),
('claim_recharges', array['service_role', 'wallet_worker']),
('cleanup_expired_reservations', array['service_role', 'wallet_worker']),
('commit_reserved_credits', array['service_role']),
('complete_phone_provisioning', array['service_role']),
('configure_calls', array['service_role']),
('configure_freeze', array['service_role']),
('configure_stripe', array['service_role']),
('convert_amount', array['service_role']),
('create_wallet', array['service_role']),
('currency_decimals', array['service_role', 'authenticated']),
('day_start', array['service_role', 'authenticated']),
('deduct_call_credits', array['service_role']),
('deduct_call_credits_batch', array['service_role']),
('entry_directions', array['service_role', 'authenticated']),
('export_transactions', array['service_role', 'authenticated']),
('extend_reservation', array['service_role']),
('fail_call_reconciliation', array['service_role', 'wallet_worker']),
('fail_phone_provisioning', array['service_role']),
('finish_call_reconciliation', array['service_role', 'wallet_worker']),
('format_money', array['service_role', 'authenticated']),
('freeze_wallet', array['service_role']),
('get_auto_recharge', array['service_role']),
('get_health', array['service_role', 'wallet_webhook']),
('get_metrics', array['service_role', 'wallet_webhook']),
('get_own_auto_recharge', array['authenticated']),
('get_own_topup', array['authenticated']),
('get_queue_stats', array['service_role', 'wallet_webhook']),
('get_wallet_summary', array['service_role', 'authenticated']),
('get_webhook_queue_health', array['service_role', 'wallet_webhook']),
('hash_entry', array['service_role']),
('last_entry_before', array['service_role', 'authenticated']),
('list_failed_events', array['service_role', 'wallet_webhook']),
('list_own_topup_options', array['authenticated']),
('list_topup_options', array['service_role']),
('list_transactions', array['service_role', 'authenticated']),
('note_worker', array['service_role', 'wallet_worker']),
('process_stripe_event', array['service_role', 'wallet_webhook']),
('provision_phone_number', array['service_role']),
('quote_own_topup', array['authenticated']),
('quote_topup', array['service_role']),
('quote_usage', array['service_role']),
('raise_misuse', array['service_role', 'authenticated']),
('reconcile_calls', array['service_role']),
('reconcile_stripe_object', array['service_role']),
('record_call', array['service_role', 'wallet_webhook']),
('record_delivery', array['service_role', 'wallet_worker']),
('record_recharge_result', array['service_role', 'wallet_worker']),
('record_sms_status', array['service_role', 'wallet_webhook']),
('recover_provider_calls', array['service_role', 'wallet_worker']),
('refuse', array['service_role', 'authenticated']),
('refuse_unknown_organization', array['service_role', 'authenticated']),
('release_phone_number', array['service_role']),
('release_reservation', array['service_role']),
('replay_messages', array['service_role']),
('replay_stripe_event', array['service_role', 'wallet_webhook']),
('replay_unbilled_calls', array['service_role', 'wallet_worker']),
('request_call_reconciliation', array['service_role', 'wallet_webhook']),
('require_value', array['service_role', 'authenticated']),
('reserve_call_credits', array['service_role']),
('resolve_recharge', array['service_role']),
('resolve_stripe_event', array['service_role']),
('save_backfill', array['service_role']),
('save_provider_calls', array['service_role', 'wallet_worker']),
('set_agent', array['service_role']),
('set_auto_recharge', array['service_role']),
('set_credential', array['service_role']),
('set_debt_limit', array['service_role']),
('set_default_payment_method', array['service_role']),
('set_exchange_rate', array['service_role']),
('set_gate_limit', array['service_role']),
('set_own_auto_recharge', array['authenticated']),
('set_price', array['service_role']),
('set_service', array['service_role']),
('set_topup_limits', array['service_role']),
('set_topup_plan', array['service_role']),
('stripe_event_types', array['service_role']),
('sync_user_credits', array['service_role']),
('unfreeze_wallet', array['service_role']),
('validate_credits_consistency', array['service_role']),
('verify_ledger', array['service_role']),
('wallet_history', array['service_role', 'authenticated']),
('wallet_statement', array['service_role', 'authenticated']);

select set_eq(
    format(
        $$
            select proname::text from pg_proc
            where pronamespace = 'wallet'::regnamespace and has_function_privilege(%L, oid, 'execute')
        $$,
        role
    ),
    array(select function from may_execute where role = any(roles)),
    format('%s may call these functions and no others', role)
)
from caller;
select is_empty(
    $$
        select function from may_execute
        where
            not exists (select from pg_proc where proname = function and pronamespace = 'wallet'::regnamespace)
            or not roles <@ (select array_agg(role) from caller)
    $$,
    'every name in this list is a function''s and a role''s'
);

-- No role that isn't named above.
select is_empty(
    $$
        select p.proname, granted.grantee::regrole
        from pg_proc as p
        cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as granted
        where
            p.pronamespace = 'wallet'::regnamespace
            and granted.grantee <> p.proowner
            and pg_get_userbyid(granted.grantee) not in (select role from caller where role <> 'public')
    $$,
    'nobody else has been granted a function'
);
select is_empty(
    $$
        select c.role, p.proname
        from caller as c, pg_proc as p
        where
            p.pronamespace = 'wallet'::regnamespace
            and has_function_privilege(c.role, p.oid, 'execute with grant option')
    $$,
    'nobody may pass one on'
);
select is_empty(
    $$
        select function from may_execute
        where 'authenticated' = any(roles) and (roles && array['wallet_webhook', 'wallet_worker'])
    $$,
    'no function is for both tenants and machines'
);
select is_empty(
    $$
        select function from may_execute
        where roles && array['wallet_webhook', 'wallet_worker'] and not 'service_role' = any(roles)
    $$,
    'what a machine may call, a backend may call'
);

do $$
begin
    set local role wallet_owner;
    create function wallet.added_later() returns integer language sql return 1;
    reset role;
end $$;
select is_empty(
    $$select role from caller where has_function_privilege(role, 'wallet.added_later()', 'execute')$$,
    'nobody may call a function that is added later without a thought'
);

-- What the service can't do by itself: it has to be the tenant whose token it has verified.
select set_eq(
    $$select function from may_execute where roles = array['authenticated']$$,
    $$
        select proname::text from pg_proc
        where
            pronamespace = 'wallet'::regnamespace
            and prosecdef
            and has_function_privilege('authenticated', oid, 'execute')
    $$,
    'what runs with the owner''s rights for a tenant is for tenants alone'
);
select is_empty(
    $$
        select function from may_execute
        where
            not 'service_role' = any(roles)
            and function !~ '(^|_)own_'
    $$,
    'and is named after it'
);

select * from finish();
rollback;
