begin;
select plan(13);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('empty');
    perform pg_temp.open_wallet('in debt', -300);
    perform pg_temp.open_wallet('at', 500);
    perform pg_temp.open_wallet('below', 499);
    perform pg_temp.open_wallet('tokyo', 5000, 0, 'jpy');
    perform pg_temp.open_wallet('rich', 9223372036854775807);
    perform pg_temp.open_wallet('acme', 56900);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 300, 400);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_2', 'v', 700, 0, 500);
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 100, 'did', 'x', 'did');
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', 'pi_1');
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 30, 'refund', p_idempotency_key => 'r');
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 20, 'bonus', p_idempotency_key => 'b');
    perform wallet.adjust_wallet(pg_temp.org('acme'), 50, 'debit', 'x', 'ann', 'a');
end $$;

select is(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'name', null, 'currency', 'gbp', 'currency_decimals', 2,
        'balance_pence', 60900,
        'balance_formatted', '£609.00', 'reserved_pence', 0, 'owed_pence', 0, 'available_pence', 60900,
        'debt_limit_pence', 500,
        'low_balance_pence', 500, 'is_low_balance', false, 'auto_recharge_enabled', false,
        'recharge_amount_pence', 5000, 'has_payment_method', false, 'total_topped_up_pence', 61900,
        'total_spent_pence', 1000, 'total_calls', 2, 'total_profit_pence', 100
    ),
    'the summary shows balance, settings and totals'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('empty')),
    '{
        "success": true, "balance_pence": 0, "balance_formatted": "£0.00", "is_low_balance": true, "total_calls": 0,
        "total_spent_pence": 0, "total_topped_up_pence": 0, "total_profit_pence": 0
    }',
    'an empty wallet shows zeros, and is low'
);
do $$ begin perform wallet.create_wallet(pg_temp.org('named'), 'Acme & Sons "Ltd"', 'sam@acme.example'); end $$;
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('named')), '{"name": "Acme & Sons \"Ltd\""}',
    'the organization''s name is shown'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('in debt')),
    '{"balance_pence": -300, "balance_formatted": "-£3.00", "available_pence": -300, "is_low_balance": true}',
    'debt is a negative balance'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org(name)),
    jsonb_build_object('is_low_balance', is_low),
    format('a balance of %s is %s against a threshold of 500', balance, case when is_low then 'low' else 'not low' end)
)
from (values ('at', 500, false), ('below', 499, true)) as threshold (name, balance, is_low);

do $$
begin
    update wallet.organizations
    set
        wallet_auto_recharge = true, wallet_recharge_amount_pence = 70000,
        wallet_low_balance_pence = 61000, stripe_default_pm_id = 'pm_1'
    where id = pg_temp.org('acme');
    perform pg_temp.hold(pg_temp.org('acme'), 900);
end $$;
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    '{
        "balance_pence": 60900, "reserved_pence": 900, "available_pence": 60000, "is_low_balance": true,
        "low_balance_pence": 61000, "auto_recharge_enabled": true, "recharge_amount_pence": 70000,
        "has_payment_method": true
    }',
    'settings and open reservations show; what is reserved is not available'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('tokyo')),
    '{
        "currency": "jpy", "currency_decimals": 0, "balance_pence": 5000, "balance_formatted": "¥5,000",
        "debt_limit_pence": 0
    }',
    'a wallet in yen shows yen'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('rich')),
    '{"balance_pence": 9223372036854775807, "total_topped_up_pence": 9223372036854775807}',
    'the largest bigint is shown exactly'
);
select ok(
    wallet.get_wallet_summary(pg_temp.org('acme'))::text !~ 'pm_1|cus_',
    'neither card nor customer is named'
);
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('nobody')), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises('select wallet.get_wallet_summary(null)', 'WL001', 'org_id', 'an organization is required');
select pg_temp.books_are_right();

select * from finish();
rollback;
