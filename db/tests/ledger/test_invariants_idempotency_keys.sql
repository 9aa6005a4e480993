begin;
select plan(18);
\ir ../support.sql

-- Invariant 2: one entry per organization and key, for ever, whichever function wrote it.
do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'one', 'v', 10, 100, 20);
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 20, 'topup', 'pi_1');
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 20, 'did', 'x', 'number');
    perform wallet.adjust_wallet(pg_temp.org('acme'), 20, 'debit', 'x', 'ann', 'by hand');
end $$;

select is(
    (
        select string_agg(idempotency_key, ', ' order by entry_number) from wallet.credit_transactions
        where org_id = pg_temp.org('acme') and entry_number > 1
    ),
    'call:one, topup:pi_1, number, by hand',
    'a call is call:<call_id>, a top-up topup:<payment intent>, a caller''s own key is as given'
);

create temporary table before_conflicts as select pg_temp.everything() as state;

select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 20, 'debit', 'x', 'ann', key),
    '{"success": false, "error": "idempotency_conflict", "attempted_type": "adjustment"}',
    format('the key %s stands for its entry in every function', key)
)
from unnest(array['call:one', 'topup:pi_1', 'number']) as key;
select pg_temp.answers(
    wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 20, 'did', 'x', 'by hand'),
    '{"success": false, "error": "idempotency_conflict", "original_type": "adjustment", "attempted_type": "did"}',
    'also that of an adjustment'
);
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 20, 'credit', 'x', 'ann', 'by hand'),
    '{
        "success": false, "error": "idempotency_conflict",
        "original_amount_pence": 20, "attempted_amount_pence": 20,
        "original_direction": "debit", "attempted_direction": "credit"
    }',
    'the same amount in the other direction is a conflict'
);
select is(pg_temp.everything(), state, 'a conflict writes nothing') from before_conflicts;

do $$ begin perform pg_temp.open_wallet('globex', 1000); end $$;
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('globex'), 'one', 'v', 10, 100, 20),
    '{"success": true, "duplicate": false}',
    'a key belongs to its organization'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'ONE', 'v', 10, 100, 20),
    '{"success": true, "duplicate": false}',
    'keys differ by case'
);

-- The table holds this by itself.
create function pg_temp.insert_copy(p_changes jsonb) returns void
language sql
as $$
    insert into wallet.credit_transactions
    select (jsonb_populate_record(e, '{"id": "00000000-0000-0000-0000-000000000001"}' || p_changes)).*
    from wallet.credit_transactions as e
    where e.org_id = pg_temp.org('acme') and e.entry_number = 2
$$;

select throws_ok(
    $$select pg_temp.insert_copy('{"entry_number": 99}')$$, '23505',
    'duplicate key value violates unique constraint "credit_transactions_idempotency_key_key"',
    'a second entry with the key can''t even be inserted'
);
select throws_ok(
    $$select pg_temp.insert_copy('{"idempotency_key": "another"}')$$, '23505',
    'duplicate key value violates unique constraint "credit_transactions_pkey"',
    'nor one with the number'
);
select throws_ok(
    format('select pg_temp.insert_copy(%L)', jsonb_build_object('entry_number', 99, 'idempotency_key', key)),
    '23514', null,
    format('nor one under a key of %s characters: %L', length(key), left(key, 3))
)
from unnest(array['', ' ', E'\t', repeat('k', 301)]) as key;

-- Every unique key of a tenant table holds the organization, so that the tables can be distributed by it.
select is_empty(
    $$
        select i.indexrelid::regclass
        from pg_index as i
        inner join pg_class as c on c.oid = i.indrelid
        where
            c.relnamespace = 'wallet'::regnamespace
            and i.indisunique
            and c.relname not in (
                'call_reconciliations', 'call_settings', 'consistency_checks', 'freeze_rules', 'organizations',
                'outbox_messages', 'price_units', 'processed_stripe_webhooks', 'provider_calls', 'services',
                'sms_callbacks', 'stripe_backfills', 'stripe_settings', 'topup_limits', 'topup_plans',
                'unbilled_calls', 'workers'
            )
            and not exists (
                select from pg_attribute as a
                where a.attrelid = c.oid and a.attname = 'org_id' and a.attnum = any(i.indkey::smallint[])
            )
    $$,
    'invariant 6: every primary key and unique key of a tenant table contains org_id'
);
select is(
    (
        select string_agg(i.indexrelid::regclass || ' (' || pg_get_indexdef(i.indexrelid, 1, false) || ')', ', ')
        from pg_index as i
        where i.indrelid = 'wallet.organizations'::regclass and i.indisunique
    ),
    'wallet.organizations_pkey (id)',
    'an organization''s own key is its id'
);
select is(
    (
        select count(*)::integer from pg_index where indrelid = 'wallet.credit_transactions'::regclass
    ),
    2,
    'an entry is indexed by its number and by its key, and each further index would cost every charge'
);

select * from finish();
rollback;
