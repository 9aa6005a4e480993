-- What the privileges of machines, backends and nobodies come to. Tenants: see test_security_tenants.sql.
begin;
select plan(90);
\ir ../support.sql
\ir ../stripe/events.sql

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
    ('select wallet.replay_stripe_event(''evt_1'') ->> ''success''', 'true'),
    ('select wallet.get_metrics() ->> ''success''', 'true'),
    ('select wallet.list_failed_events() ->> ''success''', 'true'),
    ('select wallet.get_webhook_queue_health() ->> ''success''', 'true'),
    ('select wallet.check_books(''x'')', '42501'),
    ('select wallet.resolve_stripe_event(''evt_1'', ''x'', ''x'')', '42501'),
    ('select wallet.get_wallet_summary(pg_temp.org(''acme''))', '42501'),
    ('select wallet.list_topup_options(pg_temp.org(''acme''))', '42501'),
    ('select wallet.begin_own_topup(5000, p_return_url => ''https://a'')', '42501'),
    ('select wallet.get_own_topup(gen_random_uuid())', '42501'),
    ('select wallet.set_own_auto_recharge(true)', '42501'),
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
    ('select wallet.check_books(''w'') ->> ''success''', 'true'),
    ('select wallet.replay_messages(''w'')', '42501'),
    ('select wallet.get_metrics()', '42501'),
    ('select wallet.get_own_auto_recharge()', '42501'),
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
            'wallet.set_topup_limits(''gbp'', 500, 100000, ''ann'', array[1000])',
            'wallet.list_topup_options(pg_temp.org(''acme''))',
            'wallet.export_transactions(pg_temp.org(''acme''))',
            'wallet.wallet_history(pg_temp.org(''acme''), ''2026-01-01'', ''2026-01-02'')'
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
    ('select wallet.begin_own_topup(5000, p_return_url => ''https://a'')', '42501'),
    ('select wallet.own_org_id()', '42501'),
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
            'select wallet.get_own_auto_recharge()',
            'select wallet.begin_own_topup(5000, p_return_url => ''https://a'')',
            'select wallet.process_stripe_event(''{}'')'
        ]
    ) as statement;

select pg_temp.books_are_right();

select * from finish();
rollback;
