begin;
select plan(20);

create temporary table wallet_function as
select
    oid,
    proname::text as name,
    pg_get_userbyid(proowner) as owner,
    prosecdef as is_definer,
    proconfig as settings,
    prolang,
    proleakproof as is_leakproof,
    obj_description(oid, 'pg_proc') as comment
from pg_proc
where pronamespace = 'wallet'::regnamespace;

select isnt_empty('select from wallet_function', 'there are functions to check');
select is_empty(
    $$
        select name from wallet_function
        where settings is null or not settings @> array['search_path=pg_catalog, pg_temp']
    $$,
    'every function looks for names in pg_catalog first and in the caller''s temporary schema last'
);
select is_empty(
    $$select name, owner from wallet_function where owner <> 'wallet_owner'$$,
    'every function belongs to wallet_owner'
);
select is_empty(
    $$select name from wallet_function where btrim(coalesce(comment, '')) = ''$$,
    'every function says in a comment what it promises'
);
select is_empty(
    $$select name from wallet_function group by name having count(*) > 1$$,
    'no function has a second, forgotten signature'
);
select is_empty(
    $$
        select name from wallet_function
        where prolang not in (select oid from pg_language where lanname in ('sql', 'plpgsql')) or is_leakproof
    $$,
    'every function is SQL or PL/pgSQL, and none claims to be leakproof'
);

-- Only what a role must do without having the table privileges runs with its owner's.
select set_eq(
    $$select name from wallet_function where is_definer$$,
    array[
        'add_wallet_credits', 'adjust_wallet', 'attach_checkout_session', 'attach_sms_sid', 'attach_stripe_customer',
        'begin_backfill', 'begin_own_topup', 'begin_topup', 'bill_call', 'charge_sms', 'charge_usage',
        'check_balance_and_deduct_asset_cost', 'check_billing_gate', 'check_books', 'claim_call_reconciliation',
        'claim_messages', 'claim_recharges', 'cleanup_expired_reservations', 'commit_reserved_credits',
        'complete_phone_provisioning', 'configure_calls', 'configure_freeze', 'configure_stripe', 'convert_amount',
        'create_wallet', 'deduct_call_credits', 'deduct_call_credits_batch', 'extend_reservation',
        'fail_call_reconciliation', 'fail_phone_provisioning', 'finish_call_reconciliation', 'freeze_wallet',
        'get_auto_recharge', 'get_health', 'get_metrics', 'get_own_auto_recharge', 'get_own_topup', 'get_queue_stats',
        'get_webhook_queue_health', 'list_failed_events', 'list_own_topup_options', 'list_topup_options',
        'note_worker', 'process_stripe_event', 'provision_phone_number', 'quote_own_topup', 'quote_topup',
        'quote_usage', 'reconcile_calls', 'reconcile_stripe_object', 'record_call', 'record_delivery',
        'record_recharge_result', 'record_sms_status', 'recover_provider_calls', 'release_phone_number',
        'release_reservation', 'replay_messages', 'replay_stripe_event', 'replay_unbilled_calls',
        'request_call_reconciliation', 'reserve_call_credits', 'resolve_recharge', 'resolve_stripe_event',
        'save_backfill', 'save_provider_calls', 'set_agent', 'set_auto_recharge', 'set_credential', 'set_debt_limit',
        'set_default_payment_method', 'set_exchange_rate', 'set_gate_limit', 'set_own_auto_recharge', 'set_price',
        'set_service', 'set_topup_limits', 'set_topup_plan', 'sync_user_credits', 'unfreeze_wallet'
    ],
    'these functions run with the owner''s rights, and no others'
);

-- Row level security doesn't hold there, so those that a tenant may call ask its token whose they are to be.
create temporary table own_function as
select f.*, p.prosrc as body, p.proargtypes, p.pronargs, p.proargnames
from wallet_function as f
inner join pg_proc as p on p.oid = f.oid
where f.is_definer and has_function_privilege('authenticated', f.oid, 'execute');

select set_eq(
    'select name from own_function',
    array[
        'begin_own_topup', 'get_own_auto_recharge', 'get_own_topup', 'list_own_topup_options', 'quote_own_topup',
        'set_own_auto_recharge'
    ],
    'a tenant may call these of them'
);
select is_empty(
    $$select name from own_function where body !~ 'wallet\.own_org_id\(\)'$$,
    'each asks the token for the organization'
);
select is_empty(
    $$
        select name, argument
        from own_function, unnest(proargnames[:pronargs]) as argument
        where argument ~ '(org|user|email|actor|customer)'
    $$,
    'none can be told an organization or a person'
);
select is_empty(
    $$
        select oid::regprocedure from wallet_function
        where
            is_definer
            and (has_function_privilege('anon', oid, 'execute') or has_function_privilege('public', oid, 'execute'))
    $$,
    'none of all can be called by just anybody'
);
select is_empty(
    $$
        select name, argument
        from wallet_function
        inner join pg_proc as p using (oid), unnest(p.proargnames[:p.pronargs]) as argument
        where p.prorettype <> 'trigger'::regtype and argument !~ '^p_[a-z_]+$'
    $$,
    'every parameter is named p_…, for the names are the interface'
);

-- Tables, views and types.
select is_empty(
    $$
        select relname, pg_get_userbyid(relowner) from pg_class
        where relnamespace = 'wallet'::regnamespace and pg_get_userbyid(relowner) <> 'wallet_owner'
    $$,
    'every table and view belongs to wallet_owner'
);
select is(
    (select pg_get_userbyid(nspowner)::text from pg_namespace where nspname = 'wallet'), 'wallet_owner',
    'so does the schema'
);
select is_empty(
    $$
        select relname from pg_class
        where relnamespace = 'wallet'::regnamespace and relkind in ('r', 'p') and not relrowsecurity
    $$,
    'every table has row level security'
);
select is_empty(
    $$
        select relname from pg_class
        where
            relnamespace = 'wallet'::regnamespace
            and relkind = 'v'
            and not coalesce(reloptions, '{}') @> array['security_invoker=true']
    $$,
    'every view shows what its reader may see'
);
select is_empty(
    $$
        select c.relname, p.polname
        from pg_policy as p
        inner join pg_class as c on c.oid = p.polrelid
        where c.relnamespace = 'wallet'::regnamespace and (p.polcmd <> 'r' or p.polroles @> array[0::oid])
    $$,
    'every policy is for reading, and for a named role'
);
select is_empty(
    $$
        select relname from pg_class
        where
            relnamespace = 'wallet'::regnamespace
            and relkind in ('r', 'v')
            and btrim(coalesce(obj_description(oid, 'pg_class'), '')) = ''
    $$,
    'every table and view says in a comment what it holds'
);
select is_empty(
    $$
        select conrelid::regclass, conname from pg_constraint
        where
            connamespace = 'wallet'::regnamespace
            and contype in ('c', 'f', 'u')
            and conname !~ ('^' || (select relname from pg_class where oid = conrelid) || '_[a-z_]+_(check|fkey|key)$')
    $$,
    'every constraint is named after its table and what it holds'
);
select set_eq(
    $$select relname::text from pg_class where relnamespace = 'wallet'::regnamespace and relkind = 'S'$$,
    array['prices_id_seq', 'exchange_rates_id_seq', 'gate_limits_id_seq'],
    'no number of the books comes from a sequence, which would leave gaps'
);

select * from finish();
rollback;
