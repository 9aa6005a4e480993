begin;
select plan(17);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

do $$
begin
    perform pg_temp.rechargeable('acme');
    perform wallet.adjust_wallet(pg_temp.org('acme'), 700, 'debit', 'Needy', 'ann', 'needy');
end $$;

select is(wallet.request_recharge(pg_temp.org('acme')), true, 'a wallet that needs it is recharged');
select pg_temp.answers(
    to_jsonb(pg_temp.attempt('acme')),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'state', 'requested', 'amount_pence', 5000, 'currency', 'gbp',
        'stripe_customer_id', 'cus_acme', 'stripe_payment_method_id', 'pm_acme', 'stripe_payment_intent_id', null,
        'balance_pence', -100, 'claims', 0, 'claimed_by', null, 'first_called_at', null, 'closed_at', null
    ),
    'the attempt has amount, currency, customer and card as they are now'
);
select ok(next_try_at <= clock_timestamp(), 'and is due at once') from pg_temp.attempt('acme');
select pg_temp.answers(
    to_jsonb(t),
    jsonb_build_object(
        'kind', 'wallet_auto_recharge', 'status', 'pending', 'amount_pence', 5000, 'price_pence', 5000, 'currency',
        'gbp',
        'bonus_pence', 0, 'stripe_request', wallet.recharge_request(a)
    ),
    'its top-up has the same id, and the parameters for Stripe'
)
from
    pg_temp.attempt('acme') as a
inner join wallet.topups as t on t.org_id = a.org_id and t.id = a.id;

-- One at a time.
create temporary table before_second as select pg_temp.everything() as state;
select is(wallet.request_recharge(pg_temp.org('acme')), false, 'a second one is not begun');
select is(pg_temp.everything(), (select state from before_second), 'nothing is written for it');
select throws_ok(
    $$
        insert into wallet.recharge_attempts (
            org_id, id, amount_pence, currency, stripe_customer_id, stripe_payment_method_id, balance_pence
        )
        values (pg_temp.org('acme'), gen_random_uuid(), 5000, 'gbp', 'cus', 'pm', 0)
    $$,
    '23505',
    'duplicate key value violates unique constraint "recharge_attempts_open_key"',
    'whoever tried anyway would meet the index'
);
select throws_ok(
    format('update wallet.recharge_attempts set %s where org_id = pg_temp.org(''acme'')', change),
    '23514',
    null,
    format('%s: an attempt is closed exactly if its state says so', change)
)
from unnest(array['state = ''succeeded''', 'state = ''declined''', 'state = ''canceled''',
'closed_at = now()']) as change;

-- The wallet may change; the attempt doesn't.
do $$
begin
    perform wallet.keep_payment_method(pg_temp.org('acme'), 'pm_new');
    perform wallet.set_default_payment_method(pg_temp.org('acme'), 'pm_new', 'ann');
    perform wallet.set_auto_recharge(pg_temp.org('acme'), true, 'ann', p_amount_pence => 9000);
end $$;
select pg_temp.answers(
    to_jsonb(pg_temp.attempt('acme')), '{"amount_pence": 5000, "stripe_payment_method_id": "pm_acme"}',
    'a new card or amount is for the next attempt'
);

-- Whatever find_recharge_obstacle says, in one place.
create function pg_temp.requested(p_name text, p_change text) returns text
language plpgsql
as $$
declare
    v_done boolean;
begin
    perform pg_temp.rechargeable(p_name);
    perform wallet.adjust_wallet(pg_temp.org(p_name), 200, 'debit', 'Needy', 'ann', 'needy');
    execute format(p_change, pg_temp.org(p_name));
    v_done := wallet.request_recharge(pg_temp.org(p_name));
    return format('%s, attempts %s', v_done, pg_temp.attempts(p_name));
end;
$$;
select is(pg_temp.requested(name, change), expected, format('%s: %s', name, expected))
from (
    values
    ('without obstacle', 'select 1', 't, attempts requested'),
    (
        'turned off', 'update wallet.organizations set wallet_auto_recharge = false where id = %L', 'f, attempts none'
    ),
    ('frozen', 'select wallet.freeze_wallet(%L, ''Under review'', ''ann'')', 'f, attempts none'),
    ('without settings yet', 'delete from wallet.recharge_settings where org_id = %L', 't, attempts requested')
) as tried (name, change, expected);

select ok(
    (select bool_and(t.kind = 'wallet_auto_recharge') and count(*) = 3 from wallet.topups as t),
    'each attempt has its top-up, and nothing else has'
);

select * from finish();
rollback;
