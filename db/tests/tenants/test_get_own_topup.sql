begin;
select plan(30);
\ir ../support.sql
\ir ../stripe/events.sql
\ir ../checkout/checkouts.sql
\ir tenants.sql

create function pg_temp.get_own(p_name text, p_topup_id text) returns jsonb
language sql
return pg_temp.as_tenant(p_name, format('get_own_topup(%L)', p_topup_id));

do $$
begin
    perform pg_temp.customer('acme');
    perform pg_temp.customer('globex');
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 1975, 'bonus', p_idempotency_key => 'opening');
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann', 250);
end $$;

create temporary table begun as select pg_temp.begin('acme', null, 'click', 'big') as answer;

create function pg_temp.state() returns jsonb
language sql
return (select pg_temp.get_own('acme', answer ->> 'topup_id') from begun);

-- What Stripe tells of it, with the metadata that it was asked with.
create function pg_temp.told(p_type text, p_object jsonb) returns jsonb
language sql
return (
    select pg_temp.tell(p_type, p_object || jsonb_build_object('metadata', answer #> '{request,params,metadata}'))
    from begun
);

create function pg_temp.paid_session(p_changes jsonb default '{}') returns jsonb
language sql
return (
    select pg_temp.session(
        'acme',
        jsonb_build_object('id', 'cs_' || (answer ->> 'topup_id'), 'amount_subtotal', 4500, 'amount_total', 4500)
        || p_changes
    )
    from begun
);

select is(
    pg_temp.state(),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'topup_id', answer ->> 'topup_id', 'kind', 'wallet_topup',
        'status', 'pending', 'under_way', false, 'credited', false, 'transaction_id', null,
        'amount_pence', 5000, 'amount_formatted', '£50.00', 'bonus_pence', 250, 'price_pence', 4500, 'currency', 'gbp',
        'balance_pence', 1975, 'balance_formatted', '£19.75', 'checkout_url', null,
        'created_at', (pg_temp.topup(answer)).created_at, 'updated_at', (pg_temp.topup(answer)).updated_at
    ),
    'a top-up that was begun, and that Stripe hasn''t been asked for yet'
)
from begun;

do $$ begin perform pg_temp.attach(answer) from begun; end $$;
select pg_temp.answers(
    pg_temp.state(),
    jsonb_build_object(
        'status', 'pending', 'under_way', false, 'credited', false,
        'checkout_url', 'https://checkout.stripe.com/c/pay/' || (answer ->> 'topup_id')
    ),
    'once it has a page, it can be paid there'
)
from begun;

-- A card that is declined.
do $$
begin
    perform pg_temp.told(
        'payment_intent.payment_failed', pg_temp.intent('acme', '{"id": "pi_1", "amount_received": 0}')
    );
end $$;
select pg_temp.answers(
    pg_temp.state(),
    jsonb_build_object(
        'status', 'failed', 'under_way', false, 'credited', false, 'transaction_id', null, 'balance_pence', 1975,
        'checkout_url', 'https://checkout.stripe.com/c/pay/' || (answer ->> 'topup_id')
    ),
    'a declined card has failed, and the page stays open for another'
)
from begun;

-- The state after these steps, which are undone again.
create function pg_temp.state_after(p_steps text) returns jsonb
language plpgsql
as $$
declare
    v_state jsonb;
begin
    execute format('do $steps$ begin %s end $steps$', p_steps);
    v_state := pg_temp.state();
    raise sqlstate 'UNDO0';
exception
    when sqlstate 'UNDO0' then
        return v_state;
end;
$$;

select pg_temp.answers(pg_temp.state_after(steps), expected, what)
from (
    values
    (
        'update wallet.topups set status = ''pending'', stripe_payment_intent_id = null;
         perform pg_temp.told(''checkout.session.completed'', pg_temp.paid_session(''{"payment_status": "unpaid"}''));',
        '{"status": "pending", "under_way": true, "credited": false, "transaction_id": null, "balance_pence": 1975,
            "checkout_url": null}'::jsonb,
        'a bank debit is under way, and nothing is credited; its page is closed'
    ),
    (
        'perform pg_temp.told(''checkout.session.async_payment_failed'', pg_temp.paid_session());',
        '{"status": "failed", "under_way": false, "credited": false, "checkout_url": null}',
        'a bank that refuses makes it failed, without a page to pay on'
    ),
    (
        'perform pg_temp.told(
             ''payment_intent.requires_action'', pg_temp.intent(''acme'', ''{"id": "pi_1", "amount_received": 0}'')
         );
         update wallet.topups set status = ''pending'';',
        '{"status": "pending", "under_way": false, "credited": false}',
        'while a customer still has to authenticate on the page, no bank is at it'
    ),
    (
        'update wallet.topups set status = ''pending'', checkout_url = null, stripe_payment_intent_id = null;',
        '{"status": "pending", "under_way": false, "checkout_url": null}',
        'nor where Stripe has told of no payment'
    ),
    (
        'perform pg_temp.told(''checkout.session.expired'', pg_temp.paid_session(''{"payment_status": "unpaid"}''));',
        '{"status": "expired", "under_way": false, "credited": false, "checkout_url": null}',
        'a session that expired has no page'
    ),
    (
        'perform pg_temp.told(''payment_intent.canceled'', pg_temp.intent(''acme'', ''{"amount_received": 0}''));',
        '{"status": "canceled", "under_way": false, "credited": false, "checkout_url": null}',
        'a canceled payment can''t be paid'
    ),
    (
        'update wallet.topups set expires_at = clock_timestamp() - interval ''1 second'';',
        '{"status": "failed", "credited": false, "checkout_url": null}',
        'a page whose time is over isn''t shown'
    ),
    (
        'perform wallet.freeze_wallet(pg_temp.org(''acme''), ''Under review'', ''ann'');',
        '{"success": true, "status": "failed", "credited": false}',
        'of a wallet that was frozen since it is told, too'
    )
) as told (steps, expected, what);

-- Paid: only the ledger counts.
do $$ begin perform pg_temp.told('checkout.session.completed', pg_temp.paid_session()); end $$;
select pg_temp.answers(
    pg_temp.state(),
    jsonb_build_object(
        'status', 'paid', 'under_way', false, 'credited', true, 'amount_pence', 5000, 'bonus_pence', 250,
        'balance_pence', 7225, 'balance_formatted', '£72.25', 'checkout_url', null,
        'transaction_id', (
            select id from wallet.credit_transactions
            where org_id = pg_temp.org('acme') and type = 'topup' and amount_pence = 5000
        )
    ),
    'a payment that the ledger has is credited: £19.75 and £50.00 and a bonus of £2.50'
);
select ok(
    (pg_temp.state() ->> 'updated_at')::timestamptz > (pg_temp.state() ->> 'created_at')::timestamptz,
    'it says when it changed last'
);
do $$ begin perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', null, 1, 1, 225); end $$;
select pg_temp.answers(
    pg_temp.state(), '{"credited": true, "balance_pence": 7000}', 'the balance is that of now'
);
do $$ begin perform pg_temp.tell('charge.refunded', pg_temp.charge('1', '{"amount_refunded": 4500}')); end $$;
select pg_temp.answers(
    pg_temp.state(), '{"status": "paid", "credited": true, "balance_pence": 1750}',
    'a refund takes the money back; that it was credited stays true'
);

-- A status alone is not money.
select pg_temp.answers(
    pg_temp.state_after('update wallet.topups set idempotency_key = ''topup:of_nobody'';'),
    '{"status": "paid", "credited": false, "transaction_id": null}',
    'paid without an entry in the ledger is not credited'
);

-- The key of another organization's entry credits nobody here.
do $$
begin
    perform pg_temp.attach(pg_temp.begin('globex', 5000, 'click'));
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', 'pi_of_both', p_idempotency_key => 'shared');
    update wallet.topups
    set idempotency_key = 'shared', stripe_payment_intent_id = 'pi_of_both', status = 'paid'
    where org_id = pg_temp.org('globex');
end $$;
select pg_temp.answers(
    pg_temp.get_own('globex', id::text), '{"status": "paid", "credited": false, "balance_pence": 0}',
    'an entry of another organization under the same key doesn''t count'
)
from wallet.topups where org_id = pg_temp.org('globex');

-- A backend that was faster than Stripe's event.
do $$
begin
    perform pg_temp.customer('initech');
    perform pg_temp.attach(pg_temp.begin('initech', 5000, 'click'));
    perform wallet.add_wallet_credits(pg_temp.org('initech'), 5000, 'topup', 'pi_initech', p_idempotency_key => 'mine');
    perform pg_temp.tell(
        'checkout.session.completed',
        pg_temp.session(
            'initech',
            jsonb_build_object('id', 'cs_' || id, 'payment_intent', 'pi_initech', 'metadata', stripe_request -> 'metadata')
        )
    )
    from wallet.topups
    where org_id = pg_temp.org('initech') and stripe_request is not null;
end $$;
select pg_temp.answers(
    pg_temp.get_own('initech', id::text),
    jsonb_build_object(
        'status', 'paid', 'credited', true, 'balance_pence', 5000,
        'transaction_id', (select e.id from wallet.credit_transactions as e where e.org_id = pg_temp.org('initech'))
    ),
    'what a backend has credited under a key of its own is credited'
)
from wallet.topups where org_id = pg_temp.org('initech') and stripe_request is not null;

-- Money in other currencies.
do $$
begin
    perform wallet.set_topup_limits('jpy', 1, 100000, 'ann');
    perform pg_temp.customer('tokyo', 'jpy');
end $$;
select pg_temp.answers(
    pg_temp.get_own('tokyo', pg_temp.begin('tokyo', 5000) ->> 'topup_id'),
    '{"currency": "jpy", "amount_formatted": "¥5,000", "balance_formatted": "¥0"}',
    'yen are shown as yen'
);

-- One that only Stripe has told of, and whose amount isn't known yet.
do $$
begin
    perform pg_temp.open_wallet('umbrella');
    perform pg_temp.tell(
        'payment_intent.processing',
        pg_temp.intent('umbrella', '{"id": "pi_u", "amount_received": 0, "status": "processing"}')
    );
end $$;
select pg_temp.answers(
    pg_temp.get_own('umbrella', id::text),
    '{"success": true, "status": "pending", "under_way": true, "credited": false, "amount_pence": null,
        "amount_formatted": null, "price_pence": null, "checkout_url": null}',
    'a payment whose amount isn''t known is shown without one'
)
from wallet.topups where org_id = pg_temp.org('umbrella');

-- An automatic recharge is a top-up, too.
do $$
begin
    perform wallet.keep_payment_method(pg_temp.org('globex'), 'pm_globex');
    perform wallet.set_auto_recharge(pg_temp.org('globex'), true, 'ann', 500, 5000);
end $$;
select pg_temp.answers(
    pg_temp.get_own('globex', id::text),
    '{
        "kind": "wallet_auto_recharge", "status": "pending", "under_way": false, "amount_pence": 5000,
        "checkout_url": null
    }',
    'an automatic recharge has no page to pay on'
)
from wallet.topups where org_id = pg_temp.org('globex') and kind = 'wallet_auto_recharge';

-- Nobody else's.
select is(
    pg_temp.get_own('globex', answer ->> 'topup_id') - 'message',
    pg_temp.get_own('globex', gen_random_uuid()::text) - 'message'
    || jsonb_build_object('topup_id', answer ->> 'topup_id'),
    'another organization''s top-up is as unknown as none'
)
from begun;
select pg_temp.answers(
    pg_temp.get_own('globex', answer ->> 'topup_id'),
    jsonb_build_object(
        'success', false, 'error', 'topup_not_found', 'org_id', pg_temp.org('globex'), 'topup_id', answer ->> 'topup_id'
    ),
    'it is refused'
)
from begun;
select is(
    pg_temp.get_own('globex', answer ->> 'topup_id') ->> 'message',
    format('This wallet has no top-up %s.', answer ->> 'topup_id'),
    'with a sentence that says no more'
)
from begun;
select pg_temp.tenant_raises('acme', 'get_own_topup(null)', 'WL001', 'p_topup_id', 'a top-up is required');
select pg_temp.refuses_nameless(format('get_own_topup(%L)', answer ->> 'topup_id')) from begun;

-- Nothing that is Stripe's, or ours alone.
select is(
    array(select key from jsonb_object_keys(pg_temp.state()) as key order by key collate "C"),
    array[
        'amount_formatted', 'amount_pence', 'balance_formatted', 'balance_pence', 'bonus_pence', 'checkout_url',
        'created_at', 'credited', 'currency', 'kind', 'org_id', 'price_pence', 'status', 'success', 'topup_id',
        'transaction_id', 'under_way', 'updated_at'
    ],
    'neither Stripe''s ids nor keys are shown'
);

select * from finish();
rollback;
