begin;
select plan(65);

-- The columns that other programs read, by name and type.
select is(
    (
        select format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null)
        from pg_attribute as a
        inner join pg_type as t on t.oid = a.atttypid
        where a.attrelid = format('wallet.%I', table_name)::regclass and a.attname = column_name
    ),
    column_type,
    format('%s.%s is %s', table_name, column_name, column_type)
)
from (
    values
    ('organizations', 'id', 'uuid'),
    ('organizations', 'name', 'text'),
    ('organizations', 'email', 'text'),
    ('organizations', 'currency', 'text'),
    ('organizations', 'wallet_balance_pence', 'bigint'),
    ('organizations', 'wallet_low_balance_pence', 'bigint'),
    ('organizations', 'debt_limit_pence', 'bigint'),
    ('organizations', 'wallet_auto_recharge', 'boolean'),
    ('organizations', 'wallet_recharge_amount_pence', 'bigint'),
    ('organizations', 'stripe_customer_id', 'text'),
    ('organizations', 'stripe_default_pm_id', 'text'),
    ('organizations', 'created_at', 'timestamp with time zone'),
    ('organizations', 'updated_at', 'timestamp with time zone'),
    ('credit_transactions', 'id', 'uuid'),
    ('credit_transactions', 'org_id', 'uuid'),
    ('credit_transactions', 'type', 'text'),
    ('credit_transactions', 'direction', 'text'),
    ('credit_transactions', 'amount_pence', 'bigint'),
    ('credit_transactions', 'balance_before_pence', 'bigint'),
    ('credit_transactions', 'balance_after_pence', 'bigint'),
    ('credit_transactions', 'idempotency_key', 'text'),
    ('credit_transactions', 'call_id', 'text'),
    ('credit_transactions', 'vapi_call_id', 'text'),
    ('credit_transactions', 'provider_cost_pence', 'bigint'),
    ('credit_transactions', 'client_charged_pence', 'bigint'),
    ('credit_transactions', 'gross_profit_pence', 'bigint'),
    ('credit_transactions', 'markup_percent', 'integer'),
    ('credit_transactions', 'cost_breakdown', 'jsonb'),
    ('credit_transactions', 'stripe_payment_intent_id', 'text'),
    ('credit_transactions', 'stripe_charge_id', 'text'),
    ('credit_transactions', 'description', 'text'),
    ('credit_transactions', 'created_by', 'text'),
    ('credit_transactions', 'created_at', 'timestamp with time zone'),
    ('processed_stripe_webhooks', 'event_id', 'text'),
    ('processed_stripe_webhooks', 'event_type', 'text'),
    ('processed_stripe_webhooks', 'org_id', 'uuid'),
    ('processed_stripe_webhooks', 'status', 'text'),
    ('processed_stripe_webhooks', 'attempts', 'integer'),
    ('processed_stripe_webhooks', 'error_message', 'text'),
    ('processed_stripe_webhooks', 'event_data', 'jsonb'),
    ('processed_stripe_webhooks', 'received_at', 'timestamp with time zone'),
    ('processed_stripe_webhooks', 'processed_at', 'timestamp with time zone')
) as contract (table_name, column_name, column_type);

select col_default_is(
    'wallet', 'organizations', column_name, column_default, format('%s is %s unless set', column_name, column_default)
)
from (
    values
    ('currency', 'gbp'),
    ('debt_limit_pence', '500'),
    ('wallet_low_balance_pence', '500'),
    ('wallet_recharge_amount_pence', '5000'),
    ('wallet_balance_pence', '0')
) as contract (column_name, column_default);
select col_not_null('wallet', 'organizations', 'debt_limit_pence', 'there is always a debt limit');
select col_is_pk('wallet', 'processed_stripe_webhooks', array['event_id'], 'a Stripe event is stored once');

-- What no function would write, the tables refuse by themselves.
create function pg_temp.insert_entry(p_changes jsonb) returns void
language sql
as $$
    insert into wallet.credit_transactions
    select (
        jsonb_populate_record(
            null::wallet.credit_transactions,
            jsonb_build_object(
                'org_id', '2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11', 'entry_number', 1, 'id', gen_random_uuid(),
                'created_at', now(), 'type', 'bonus', 'direction', 'credit', 'amount_pence', 100,
                'balance_before_pence', 0, 'balance_after_pence', 100, 'idempotency_key', 'key', 'created_by', 'test',
                'entry_hash', decode(repeat('00', 32), 'hex')
            ) || p_changes
        )
    ).*
$$;

insert into wallet.organizations (id) values ('2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11');

select throws_ok(
    format('select pg_temp.insert_entry(%L)', changes), sqlstate, null, format('an entry can''t have %s', changes)
)
from (
    values
    ('{"amount_pence": 0, "balance_after_pence": 0}', '23514'),
    ('{"amount_pence": -100, "balance_after_pence": -100}', '23514'),
    ('{"balance_after_pence": 101}', '23514'),
    ('{"direction": "debit"}', '23514'),
    ('{"type": "gift"}', '23514'),
    ('{"type": "adjustment", "description": null}', '23514'),
    ('{"idempotency_key": " "}', '23514'),
    ('{"created_by": null}', '23502'),
    ('{"entry_hash": null}', '23502'),
    ('{"provider_cost_pence": 10, "client_charged_pence": 100, "gross_profit_pence": 89}', '23514'),
    ('{"org_id": "00000000-0000-0000-0000-000000000000"}', '23503'),
    ('{"idempotency_key": null}', '23502')
) as bad (changes, sqlstate);
select lives_ok($$select pg_temp.insert_entry('{}')$$, 'an honest entry can be written');

select throws_ok(
    'update wallet.organizations set ' || assignment, '23514', null, format('a wallet can''t have %s', assignment)
)
from
    unnest(
        array['debt_limit_pence = -1', 'currency = ''GBP''', 'reserved_pence = -1']
    ) as assignment;

select * from finish();
rollback;
