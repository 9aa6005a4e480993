begin;
select plan(44);
\ir ../support.sql

create function pg_temp.charge(
    p_name text, p_quantity bigint, p_key text, p_service text default 'knowledge_base_query'
) returns jsonb
language sql
return wallet.charge_usage(pg_temp.org(p_name), p_service, p_quantity, p_key);

do $$ begin perform pg_temp.open_wallet('acme', 1000); end $$;

create temporary table charge as
select wallet.charge_usage(
    pg_temp.org('acme'), 'knowledge_base_query', 10, 'query 1', 'Ten questions', 3
) as answer;

select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "amount_pence": 8, "balance_before": 1000, "balance_after": 992,
        "client_charged_pence": 8, "provider_cost_pence": 3, "gross_profit_pence": 5, "in_debt": false
    }',
    'usage is priced and charged in one call'
)
from charge;
select is(
    answer -> 'cost_breakdown',
    wallet.quote_usage(pg_temp.org('acme'), 'knowledge_base_query', 10) -> 'breakdown',
    'and the answer explains the amount'
)
from charge;
select pg_temp.answers(
    to_jsonb(entry),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'knowledge_base_deduction', 'direction', 'debit', 'amount_pence', 8,
        'idempotency_key', 'query 1', 'description', 'Ten questions', 'provider_cost_pence', 3,
        'cost_breakdown', answer -> 'cost_breakdown', 'call_id', null
    ),
    'as one entry under the caller''s key, which keeps the explanation'
)
from charge, wallet.credit_transactions as entry
where entry.org_id = pg_temp.org('acme') and entry.idempotency_key = 'query 1';
select pg_temp.answers(
    pg_temp.charge('acme', 1, 'query 2'), '{"success": true, "amount_pence": 1, "balance_after": 991}',
    'neither a description nor a cost is required'
);
select is(
    (
        select cost_breakdown ->> 'quantity'
        from wallet.credit_transactions
        where org_id = pg_temp.org('acme') and idempotency_key = 'query 2'
    ),
    '1', 'and the explanation is kept without them'
);

-- Replays, before and after the price has changed.
create temporary table before_replay as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.charge('acme', 10, 'query 1'),
    answer || '{"duplicate": true}',
    'the same usage again is answered with the original charge'
)
from charge;
select is(pg_temp.everything(), state, 'and writes nothing') from before_replay;

do $$
begin
    perform wallet.set_price('knowledge_base_query', 'query', 100, 'usd', 'ann');
    perform wallet.set_exchange_rate('usd', 'gbp', 0.5, 'ann');
end $$;
create temporary table before_repeated as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.charge('acme', 10, 'query 1'),
    answer || '{"duplicate": true}',
    'also when it would cost something else by now'
)
from charge;
select is(
    wallet.charge_usage(pg_temp.org('acme'), 'knowledge_base_query', 10, 'query 1', 'other words', 4),
    pg_temp.charge('acme', 10, 'query 1'),
    'and whatever else is said of it'
);
select pg_temp.answers(
    pg_temp.charge('acme', quantity, 'query 1'),
    jsonb_build_object(
        'success', false, 'error', 'idempotency_conflict', 'idempotency_key', 'query 1',
        'original_amount_pence', 8, 'original_quantity', 10, 'original_service', 'knowledge_base_query',
        'attempted_amount_pence', attempted, 'attempted_quantity', quantity,
        'attempted_service', 'knowledge_base_query'
    ),
    format('the same key for %s is a conflict that shows both', quantity)
)
from (values (11, 550), (1, 50), (0, 0)) as conflict (quantity, attempted);
select is(pg_temp.everything(), state, 'none of which writes anything') from before_repeated;
select pg_temp.answers(
    pg_temp.charge('acme', 1, 'query 3'), '{"success": true, "amount_pence": 50, "balance_after": 941}',
    'what is new costs the new price'
);

-- A key that stands for something else.
do $$
begin
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 50, 'knowledge_base_deduction', 'x', 'asset');
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 50, 'bonus', p_idempotency_key => 'bonus');
    perform wallet.deduct_call_credits(
        pg_temp.org('acme'), 'c', 'v', 1, 0, 7, '{"service": "knowledge_base_query", "quantity": 1, "amount_pence": 8}'
    );
end $$;
select pg_temp.answers(
    pg_temp.charge('acme', 1, key),
    jsonb_build_object(
        'success', false, 'error', 'idempotency_conflict', 'original_type', type, 'original_amount_pence', amount,
        'original_service', service, 'attempted_type', 'knowledge_base_deduction', 'attempted_amount_pence', 50
    ),
    'a key of another entry is a conflict: ' || key
)
from (
    values
    ('asset', 'knowledge_base_deduction', 50, null),
    ('bonus', 'bonus', 50, null),
    ('call:c', 'call_deduction', 7, 'knowledge_base_query')
) as other (key, type, amount, service);

-- What is free.
do $$
begin
    perform wallet.set_service('gift', 'query', 'license', false, 'ann');
    perform wallet.set_price('gift', 'query', 0, 'usd', 'ann');
end $$;
create temporary table before_free as select pg_temp.everything() as state;
select is(
    pg_temp.charge('acme', quantity, 'free', service) - 'cost_breakdown',
    '{"success": true, "duplicate": false, "amount_pence": 0, "transaction_id": null}',
    format('%s of %s costs nothing', quantity, service)
)
from (values (0, 'knowledge_base_query'), (5, 'gift')) as free (quantity, service);
select is(
    pg_temp.charge('acme', 5, 'free', 'gift') #> '{cost_breakdown,quantity}', '5', 'and says what was not charged'
);
select is(pg_temp.everything(), state, 'and writes nothing') from before_free;

-- How far: the debt limit for what may use it, and the balance for the rest.
do $$
begin
    perform wallet.set_price('knowledge_base_query', 'query', 1, 'gbp', 'ann');
    perform wallet.set_service('archive', 'token', 'license', false, 'ann');
    perform wallet.set_price('archive', 'token', 1, 'gbp', 'ann');
    perform pg_temp.open_wallet('thin', 10, 20);
    perform pg_temp.open_wallet('berlin', 100, p_currency => 'eur');
    update wallet.organizations set reserved_pence = 3 where id = pg_temp.org('thin');
    insert into wallet.credit_reservations (
        org_id, call_id, requested_minutes, estimated_minutes, requested_pence, reserved_pence, expires_at
    )
    values (pg_temp.org('thin'), 'c', 1, 1, 3, 3, now() + interval '1 hour');
end $$;
select pg_temp.answers(
    pg_temp.charge('thin', 8, 'k', 'archive'),
    '{
        "success": false, "error": "insufficient_balance", "required_pence": 8, "balance_pence": 10,
        "reserved_pence": 3, "shortfall_pence": 1
    }',
    'what may not use the debt limit is paid out of what is not reserved'
);
select pg_temp.answers(
    pg_temp.charge('thin', 7, 'k', 'archive'), '{"success": true, "balance_after": 3}', 'to the last penny'
);
select pg_temp.answers(
    pg_temp.charge('thin', 21, 'l'),
    '{"success": false, "error": "debt_limit_exceeded", "attempted_deduction": 21, "amount_over_limit": 1}',
    'what may use it is not paid beyond'
);
select pg_temp.answers(
    pg_temp.charge('thin', 20, 'l'), '{"success": true, "balance_after": -17, "in_debt": true}', 'but up to it'
);
select pg_temp.answers(
    pg_temp.charge('thin', 20, 'l'), '{"success": true, "duplicate": true, "balance_after": -17}',
    'a replay is answered also where the wallet could not pay again'
);
do $$
begin
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.freeze_wallet(pg_temp.org('acme'), 'Under review', 'ann');
end $$;
select pg_temp.answers(
    pg_temp.charge('acme', 1, 'frozen'), '{"success": false, "error": "wallet_frozen"}', 'a frozen wallet pays nothing'
);
select pg_temp.answers(
    pg_temp.charge('acme', 10, 'query 1'), '{"success": true, "duplicate": true, "amount_pence": 8}',
    'and answers replays'
);

-- Refusals and misuse.
select pg_temp.answers(
    pg_temp.charge('nobody', 1, 'k'), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.answers(
    pg_temp.charge('berlin', 1, 'k'),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "gbp", "to_currency": "eur"}',
    'a price that can''t be converted is refused'
);
do $$ begin perform wallet.set_service('unpriced', 'query', 'license', true, 'ann'); end $$;
select pg_temp.answers(
    pg_temp.charge('thin', 1, 'm', 'unpriced'), '{"success": false, "error": "price_not_found", "service": "unpriced"}',
    'and so is what has no price'
);
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.charge_usage(%L, %L, %L, %L, null, %L)', org_id, service, quantity, key, cost),
    sqlstate, field, format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 'archive', '1', 'k', null, 'WL001', 'p_org_id'),
    (pg_temp.org('thin'), null, '1', 'k', null, 'WL001', 'p_service'),
    (pg_temp.org('thin'), 'yacht', '1', 'k', null, 'WL006', 'p_service'),
    (pg_temp.org('thin'), 'call', '1', 'k', null, 'WL006', 'p_service'),
    (pg_temp.org('thin'), 'sms', '1', 'k', null, 'WL006', 'p_service'),
    (pg_temp.org('thin'), 'archive', null, 'k', null, 'WL001', 'p_quantity'),
    (pg_temp.org('thin'), 'archive', '-1', 'k', null, 'WL002', 'p_quantity'),
    (pg_temp.org('thin'), 'archive', '1', null, null, 'WL001', 'p_idempotency_key'),
    (pg_temp.org('thin'), 'archive', '1', ' ', null, 'WL005', 'p_idempotency_key'),
    (pg_temp.org('thin'), 'archive', '1', 'k', '-1', 'WL002', 'p_provider_cost_pence')
) as misuse (org_id, service, quantity, key, cost, sqlstate, field);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    array[
        pg_temp.outcome(
            'service_role', '', format('select wallet.charge_usage(%L, ''archive'', 0, ''new'') ->> ''success''', id)
        ),
        pg_temp.outcome('authenticated', '', format('select wallet.charge_usage(%L, ''archive'', 0, ''new'')', id)),
        pg_temp.outcome('wallet_webhook', '', format('select wallet.charge_usage(%L, ''archive'', 0, ''new'')', id))
    ],
    array['true', '42501', '42501'],
    'backends may charge'
)
from pg_temp.org('thin') as id;

select pg_temp.books_are_right();

select * from finish();
rollback;
