begin;
select plan(345);
\ir ../support.sql
\ir ../stripe/events.sql

create temporary table caller (role) as
values ('service_role'), ('wallet_webhook'), ('wallet_worker'), ('authenticated'), ('anon');

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
('begin_topup', array['service_role', 'wallet_webhook']),
('bill_call', array['service_role']),
('charge_sms', array['service_role']),
('charge_usage', array['service_role']),
('check_balance_and_deduct_asset_cost', array['service_role']),
('check_billing_gate', array['service_role']),
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
('deduct_call_credits', array['service_role']),
('deduct_call_credits_batch', array['service_role']),
('entry_directions', array['service_role', 'authenticated']),
('extend_reservation', array['service_role']),
('fail_call_reconciliation', array['service_role', 'wallet_worker']),
('fail_phone_provisioning', array['service_role']),
('finish_call_reconciliation', array['service_role', 'wallet_worker']),
('format_money', array['service_role', 'authenticated']),
('freeze_wallet', array['service_role']),
('get_auto_recharge', array['service_role']),
('get_health', array['service_role', 'wallet_webhook']),
('get_queue_stats', array['service_role', 'wallet_webhook']),
('get_wallet_summary', array['service_role', 'authenticated']),
('hash_entry', array['service_role']),
('last_entry_before', array['service_role', 'authenticated']),
('list_transactions', array['service_role', 'authenticated']),
('note_worker', array['service_role', 'wallet_worker']),
('process_stripe_event', array['service_role', 'wallet_webhook']),
('provision_phone_number', array['service_role']),
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
('replay_stripe_event', array['service_role']),
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
('set_price', array['service_role']),
('set_service', array['service_role']),
('set_topup_limits', array['service_role']),
('set_topup_plan', array['service_role']),
('stripe_event_types', array['service_role']),
('sync_user_credits', array['service_role']),
('unfreeze_wallet', array['service_role']),
('validate_credits_consistency', array['service_role']),
('verify_ledger', array['service_role']),
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
        select oid::regprocedure from pg_proc
        where pronamespace = 'wallet'::regnamespace and has_function_privilege('public', oid, 'execute')
    $$,
    'PUBLIC may call nothing'
);

do $$
begin
    set local role wallet_owner;
    create function wallet.added_later() returns integer language sql return 1;
    reset role;
end $$;
select ok(
    not has_function_privilege('public', 'wallet.added_later()', 'execute'),
    'nor a function that is added later without a thought'
);
drop function wallet.added_later();

-- Who may do what to a table as a whole.
create temporary table may_access (role, relation, privileges) as
select 'service_role', relname::text, array['SELECT']
from pg_class
where relnamespace = 'wallet'::regnamespace and relkind in ('r', 'v')
union all
select
    'authenticated', relation, array['SELECT']
from
    unnest(
        array['agents', 'credit_reservations', 'payment_methods', 'recharge_settings', 'sms_messages', 'topups']
    ) as relation;

select is(
    array(
        select privilege
        from
            unnest(
                array['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE']
            ) as privilege
        where has_table_privilege(caller.role, c.oid, privilege)
    ),
    coalesce(m.privileges, '{}'),
    format('%s on %s: %s', caller.role, c.relname, coalesce(array_to_string(m.privileges, ', '), 'nothing'))
)
from caller
cross join pg_class as c
left join may_access as m on m.role = caller.role and m.relation = c.relname
where c.relnamespace = 'wallet'::regnamespace and c.relkind in ('r', 'v')
order by caller.role, c.relname;

select is_empty(
    format(
        $$
            select c.relname, privilege
            from pg_class as c, unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) as privilege
            where
                c.relnamespace = 'wallet'::regnamespace
                and c.relkind in ('r', 'v')
                and has_any_column_privilege(%L, c.oid, privilege)
        $$,
        role
    ),
    format('%s has no privilege on any column either', role)
)
from unnest(array['wallet_webhook', 'wallet_worker', 'anon']) as role;

-- The columns that a tenant sees: neither what a service costs its seller nor what only the machinery needs.
select set_eq(
    format(
        $$
            select attname::text from pg_attribute
            where
                attrelid = 'wallet.%s'::regclass
                and attnum > 0
                and has_column_privilege('authenticated', attrelid, attnum, 'select')
        $$,
        relation
    ),
    columns,
    format('a tenant sees these columns of %s and no others', relation)
)
from (
    values
    (
        'organizations',
        array[
            'id', 'name', 'email', 'currency', 'wallet_balance_pence', 'wallet_low_balance_pence', 'debt_limit_pence',
            'wallet_auto_recharge', 'wallet_recharge_amount_pence', 'stripe_default_pm_id', 'reserved_pence',
            'owed_pence', 'total_topped_up_pence', 'total_spent_pence', 'total_calls', 'last_entry_number',
            'last_entry_at', 'created_at', 'updated_at'
        ]
    ),
    (
        'credit_transactions',
        array[
            'org_id', 'entry_number', 'id', 'created_at', 'type', 'direction', 'amount_pence', 'balance_before_pence',
            'balance_after_pence', 'client_charged_pence', 'call_id', 'vapi_call_id', 'description'
        ]
    ),
    (
        'recharge_attempts',
        array[
            'org_id', 'id', 'state', 'amount_pence', 'currency', 'stripe_payment_method_id',
            'stripe_payment_intent_id', 'balance_pence', 'decline_code', 'created_at', 'updated_at', 'closed_at'
        ]
    ),
    ('topup_limits', array['currency', 'min_pence', 'max_pence']),
    ('topup_plans', array['plan', 'name', 'currency', 'price_pence', 'credit_pence', 'bonus_pence', 'active']),
    (
        'calls',
        array[
            'org_id', 'call_id', 'vapi_call_id', 'direction', 'assistant_id', 'phone_number_id', 'ended_reason',
            'placed_at', 'started_at', 'ended_at', 'duration_seconds', 'cost_pence', 'charged_pence', 'owed_pence',
            'cost_breakdown', 'transaction_id', 'created_at', 'updated_at'
        ]
    ),
    (
        'phone_numbers',
        array[
            'org_id', 'id', 'number', 'status', 'provider', 'provider_number_id', 'price_pence', 'cost_breakdown',
            'transaction_id', 'refund_transaction_id', 'failure', 'provisioned_at', 'updated_at', 'released_at'
        ]
    ),
    ('organization_changes', array[]::text[]),
    ('org_credentials', array[]::text[]),
    ('prices', array[]::text[]),
    ('unbilled_calls', array[]::text[]),
    ('provider_calls', array[]::text[]),
    ('call_reconciliations', array[]::text[]),
    ('sms_callbacks', array[]::text[]),
    ('stripe_refunds', array[]::text[]),
    ('stripe_disputes', array[]::text[]),
    ('wallet_freezes', array[]::text[]),
    ('freeze_rules', array[]::text[]),
    ('outbox_messages', array[]::text[]),
    ('processed_stripe_webhooks', array[]::text[]),
    ('stripe_settings', array[]::text[])
) as visible (relation, columns);

select results_eq(
    $$
        select
            has_schema_privilege(role, 'wallet', 'usage'),
            has_schema_privilege(role, 'wallet', 'create')
        from (
            values
            ('service_role'), ('wallet_webhook'), ('wallet_worker'), ('authenticated'), ('anon'), ('public')
        ) as who (role)
    $$,
    $$values (true, false), (true, false), (true, false), (true, false), (false, false), (false, false)$$,
    'anon and PUBLIC can''t even look into the schema, and nobody can create in it'
);
select results_eq(
    $$select rolcanlogin, rolsuper, rolbypassrls from pg_roles where rolname = 'wallet_owner'$$,
    $$values (false, false, false)$$,
    'the owner of everything can''t log in and is no superuser'
);
select ok(
    not pg_has_role(role, 'wallet_owner', 'member'), format('%s can''t become the owner', role)
)
from caller;

-- What it comes to.
do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 300, 400);
    perform wallet.set_debt_limit(pg_temp.org('acme'), 700, 'ann');
    perform pg_temp.open_wallet('globex', 5000);
    perform wallet.process_stripe_event(pg_temp.event('evt_1', 'checkout.session.completed', pg_temp.session('acme')));
    perform wallet.process_stripe_event(
        pg_temp.event(
            'evt_2', 'checkout.session.completed',
            pg_temp.session('globex', '{"id": "cs_2", "payment_intent": "pi_2"}')
        )
    );
    perform wallet.get_auto_recharge(pg_temp.org('acme'));
    perform wallet.get_auto_recharge(pg_temp.org('globex'));
    perform wallet.keep_payment_method(pg_temp.org('acme'), 'pm_acme');
    perform wallet.keep_payment_method(pg_temp.org('globex'), 'pm_globex');
    perform wallet.freeze_wallet(pg_temp.org('globex'), 'Under review', 'ann');
    perform wallet.reserve_call_credits(id, 'call_2', p_allow_partial => true),
        wallet.bill_call(id, 'call_3', 60, p_provider_cost_pence => 10),
        wallet.charge_sms(id, 'message_1'),
        wallet.provision_phone_number(id, '+4420794600' || case id when pg_temp.org('acme') then '01' else '02' end, 'n'),
        wallet.set_agent(id, null, 'Agent')
    from wallet.organizations;
end $$;

create function pg_temp.as_acme(p_statement text) returns text
language sql
return pg_temp.outcome(
    'authenticated',
    jsonb_build_object('app_metadata', jsonb_build_object('org_id', pg_temp.org('acme')))::text,
    p_statement
);

select is(pg_temp.as_acme(statement), expected, format('organization A as itself: %s', statement))
from (
    values
    ('select string_agg(id::text, '','') from wallet.organizations', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.credit_transactions', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.topups', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.payment_methods', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.recharge_settings', pg_temp.org('acme')::text),
    ('select count(*) from wallet.recharge_attempts', '0'),
    ('select string_agg(distinct org_id::text, '','') from wallet.credit_reservations', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.calls', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.sms_messages', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.phone_numbers', pg_temp.org('acme')::text),
    ('select string_agg(distinct org_id::text, '','') from wallet.agents', pg_temp.org('acme')::text),
    ('select provider_cost_pence from wallet.calls', '42501'),
    ('select 1 from wallet.org_credentials', '42501'),
    ('select 1 from wallet.prices', '42501'),
    ('select 1 from wallet.vapi_webhook_reliability', '42501'),
    ('select 1 from wallet.billing_success_rate', '42501'),
    ('select count(*) > 0 from wallet.topup_limits', 'true'),
    ('select count(*) from wallet.topup_plans', '0'),
    ('select count(*) from wallet.credit_transactions', '6'),
    ('select max(wallet_balance_pence) from wallet.organizations', '5145'),
    ('select provider_cost_pence from wallet.credit_transactions', '42501'),
    ('select gross_profit_pence from wallet.credit_transactions', '42501'),
    ('select total_profit_pence from wallet.organizations', '42501'),
    ('select * from wallet.credit_transactions', '42501'),
    ('select 1 from wallet.organization_changes', '42501'),
    ('select 1 from wallet.processed_stripe_webhooks', '42501'),
    ('select 1 from wallet.ledger_totals', '42501'),
    ('select 1 from wallet.outbox_messages', '42501'),
    ('select 1 from wallet.stripe_refunds', '42501'),
    ('select 1 from wallet.stripe_disputes', '42501'),
    ('select 1 from wallet.wallet_freezes', '42501'),
    ('update wallet.organizations set wallet_balance_pence = 1', '42501'),
    ('insert into wallet.topups (org_id) values (pg_temp.org(''acme''))', '42501')
) as tried (statement, expected);
select is(
    pg_temp.as_acme(format('select %s ->> ''success''', format(call, 'pg_temp.org(''acme'')'))), 'true',
    format('organization A may read its own %s', format(call, 'A'))
)
from
    unnest(
        array[
            'wallet.get_wallet_summary(%s)', 'wallet.list_transactions(%s)', 'wallet.balance_at(%s, now())',
            'wallet.wallet_statement(%s, ''-infinity'', ''infinity'')'
        ]
    ) as call;
select is(
    pg_temp.as_acme(format('select %s ->> ''error''', format(call, 'pg_temp.org(''globex'')'))),
    'organization_not_found',
    format('organization A is told that there is no %s', format(call, 'B'))
)
from
    unnest(
        array[
            'wallet.get_wallet_summary(%s)', 'wallet.list_transactions(%s)', 'wallet.balance_at(%s, now())',
            'wallet.wallet_statement(%s, ''-infinity'', ''infinity'')'
        ]
    ) as call;
select is(
    pg_temp.as_acme(format('select wallet.%s(pg_temp.org(''globex''), %s)', function, argument)), '0',
    format('organization A learns nothing of B from %s', function)
)
from (values ('balance_after_entry', '1'), ('last_entry_before', '''infinity''')) as helper (function, argument);
select is(
    pg_temp.as_acme('select wallet.get_wallet_summary(pg_temp.org(''acme'')) ->> ''total_profit_pence'''), null,
    'a tenant''s summary doesn''t show the margin'
);
select ok(
    pg_temp.as_acme('select wallet.list_transactions(pg_temp.org(''acme''))')
    !~ 'provider_cost|gross_profit|markup|cost_breakdown',
    'nor does its list of transactions'
);

select is(
    pg_temp.outcome('authenticated', claims, 'select count(*) from wallet.organizations'), '0',
    format('a token that says %L sees no organization', claims)
)
from (
    values
    (''),
    ('{}'),
    ('{"app_metadata": {}}'),
    ('{"app_metadata": {"org_id": null}}'),
    (format('{"org_id": "%s"}', pg_temp.org('acme'))),
    (format('{"user_metadata": {"org_id": "%s"}}', pg_temp.org('acme'))),
    (format('{"app_metadata": {"org_id": "%s"}}', pg_temp.org('nobody')))
) as token (claims);

-- The HTTP service's role.
select is(pg_temp.outcome('wallet_webhook', '', statement), expected, format('wallet_webhook: %s', statement))
from (
    values
    (
        'select wallet.process_stripe_event(pg_temp.event(''evt_3'', ''payment_intent.succeeded'',
            pg_temp.intent(''acme'', ''{"id": "pi_3"}''))) ->> ''outcome''',
        'processed'
    ),
    ('select wallet.get_health() ->> ''success''', 'true'),
    ('select wallet.get_queue_stats() ->> ''success''', 'true'),
    ('select wallet.attach_stripe_customer(pg_temp.org(''acme''), ''cus_1'') ->> ''success''', 'true'),
    (
        'select wallet.begin_topup(pg_temp.org(''acme''), 5000, p_return_url => ''https://acme.example'') ->> ''next''',
        'create_session'
    ),
    ('select wallet.claim_messages(''w'')', '42501'),
    ('select wallet.claim_recharges(''w'')', '42501'),
    ('select wallet.freeze_wallet(pg_temp.org(''acme''), ''x'', ''x'')', '42501'),
    ('select wallet.reverse_topup(null, null)', '42501'),
    ('select wallet.add_wallet_credits(pg_temp.org(''acme''), 1, ''bonus'', ''pi'')', '42501'),
    ('select wallet.post_transaction(null, null, null, null, null, null, null)', '42501'),
    ('select wallet.credit_topup(null)', '42501'),
    ('select wallet.apply_stripe_event(''{}'')', '42501'),
    ('select wallet.replay_stripe_event(''evt_1'')', '42501'),
    ('select wallet.configure_stripe(true, ''x'')', '42501'),
    ('select 1 from wallet.organizations', '42501'),
    ('select 1 from wallet.credit_transactions', '42501'),
    ('select 1 from wallet.processed_stripe_webhooks', '42501'),
    ('select 1 from wallet.topups', '42501'),
    ('insert into wallet.processed_stripe_webhooks values (''evt'')', '42501')
) as tried (statement, expected);

-- The worker's role.
select is(pg_temp.outcome('wallet_worker', '', statement), expected, format('wallet_worker: %s', statement))
from (
    values
    ('select wallet.note_worker(''w'', ''1'') ->> ''success''', 'true'),
    ('select wallet.claim_messages(''w'') ->> ''success''', 'true'),
    ('select wallet.claim_recharges(''w'') ->> ''success''', 'true'),
    ('select wallet.process_stripe_event(''{}'')', '42501'),
    ('select wallet.begin_topup(pg_temp.org(''acme''), 5000)', '42501'),
    ('select wallet.replay_messages(''w'')', '42501'),
    ('select wallet.request_recharge(pg_temp.org(''acme''))', '42501'),
    ('select wallet.post_transaction(null, null, null, null, null, null, null)', '42501'),
    ('select 1 from wallet.outbox_messages', '42501'),
    ('select 1 from wallet.recharge_attempts', '42501'),
    ('select 1 from wallet.organizations', '42501')
) as tried (statement, expected);

-- A backend's role: every RPC, every row to read, none to write.
select is(
    pg_temp.outcome('service_role', '', format('select %s ->> ''success''', call)), 'true',
    format('service_role may call %s', call)
)
from
    unnest(
        array[
            'wallet.create_wallet(pg_temp.org(''initech''))',
            'wallet.set_debt_limit(pg_temp.org(''acme''), 600, ''ann'')',
            'wallet.add_wallet_credits(pg_temp.org(''acme''), 100, ''bonus'', p_idempotency_key => ''b'')',
            'wallet.deduct_call_credits(pg_temp.org(''acme''), ''c'', ''v'', 1, 1, 2)',
            'wallet.check_balance_and_deduct_asset_cost(pg_temp.org(''acme''), 1, ''did'', ''x'', ''k'')',
            'wallet.adjust_wallet(pg_temp.org(''acme''), 1, ''debit'', ''x'', ''ann'', ''a'')',
            'wallet.get_wallet_summary(pg_temp.org(''acme''))',
            'wallet.list_transactions(pg_temp.org(''acme''), 10, null, array[''did''])',
            'wallet.balance_at(pg_temp.org(''acme''), now())',
            'wallet.wallet_statement(pg_temp.org(''acme''), ''-infinity'', ''infinity'')',
            'wallet.sync_user_credits(pg_temp.org(''acme''))',
            'wallet.process_stripe_event(pg_temp.event(''evt_4'', ''payment_intent.succeeded'',
                pg_temp.intent(''acme'', ''{"id": "pi_4"}'')))',
            'wallet.replay_stripe_event(''evt_1'')',
            'wallet.configure_stripe(false, ''ann'')',
            'wallet.get_health()',
            'wallet.freeze_wallet(pg_temp.org(''initech''), ''x'', ''ann'')',
            'wallet.unfreeze_wallet(pg_temp.org(''initech''), ''x'', ''ann'')',
            'wallet.configure_freeze(''operator'', true, false, ''ann'')',
            'wallet.get_auto_recharge(pg_temp.org(''initech''))',
            'wallet.set_topup_limits(''gbp'', 500, 100000, ''ann'')'
        ]
    ) as call;
select is(pg_temp.outcome('service_role', '', statement), expected, format('service_role: %s', statement))
from (
    values
    ('select count(*) from wallet.validate_credits_consistency()', '0'),
    ('select count(*) from wallet.verify_ledger()', '0'),
    ('select count(*) from wallet.organizations', '3'),
    ('select count(distinct org_id) from wallet.credit_transactions', '2'),
    ('select count(*) from wallet.ledger_totals', '2'),
    ('select wallet.get_wallet_summary(pg_temp.org(''globex'')) ->> ''total_profit_pence''', '46'),
    ('select wallet.balance_at(null, now())', 'WL001'),
    ('select wallet.list_transactions(pg_temp.org(''acme''), 0)', 'WL006'),
    ('select wallet.post_transaction(null, null, null, null, null, null, null)', '42501'),
    ('insert into wallet.organizations (id) values (gen_random_uuid())', '42501'),
    ('update wallet.organizations set wallet_balance_pence = 0', '42501'),
    ('delete from wallet.topups', '42501'),
    ('insert into wallet.credit_transactions select * from wallet.credit_transactions', '42501')
) as tried (statement, expected);

-- Nobody.
select is(pg_temp.outcome('anon', '', statement), '42501', format('anon may not: %s', statement))
from
    unnest(
        array[
            'select 1 from wallet.organizations',
            'select 1 from wallet.credit_transactions',
            'select wallet.get_health()',
            'select wallet.get_wallet_summary(pg_temp.org(''acme''))',
            'select wallet.process_stripe_event(''{}'')'
        ]
    ) as statement;

select pg_temp.books_are_right();

select * from finish();
rollback;
