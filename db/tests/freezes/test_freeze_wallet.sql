begin;
select plan(23);
\ir ../support.sql
\ir ../stripe/events.sql

-- A wallet that recharges itself, with one attempt that no worker has claimed yet.
do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_1');
    perform wallet.keep_payment_method(pg_temp.org('acme'), 'pm_1');
    perform wallet.set_auto_recharge(pg_temp.org('acme'), true, 'ann', 500, 5000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call', 'v', 100, 600, 600);
end $$;

select is(
    (select state::text from wallet.recharge_attempts where org_id = pg_temp.org('acme')), 'requested',
    'a recharge was asked for'
);

create temporary table first as
select wallet.freeze_wallet(pg_temp.org('acme'), 'Under review', 'ann') as answer;
select pg_temp.answers(
    answer, jsonb_build_object('success', true, 'duplicate', false, 'freeze_id', f.id), 'an operator freezes a wallet'
)
from first, wallet.wallet_freezes as f
where f.org_id = pg_temp.org('acme') and f.cause = 'operator' and f.frozen_by = 'ann' and f.reason = 'Under review';
select pg_temp.answers(
    wallet.freeze_wallet(pg_temp.org('acme'), 'Me too', 'bob'),
    jsonb_build_object('success', true, 'duplicate', true, 'freeze_id', answer -> 'freeze_id'),
    'a second time it is frozen already'
)
from first;
select is(pg_temp.messages('acme', 'wallet_frozen'), 1::bigint, 'and told once');

-- What a frozen wallet refuses, and what not.
select is(
    (select state || ', ' || last_error from wallet.recharge_attempts where org_id = pg_temp.org('acme')),
    'canceled, The wallet was frozen.',
    'the recharge that nobody has claimed is taken back'
);
select is(
    (select status::text from wallet.topups where org_id = pg_temp.org('acme') and kind = 'wallet_auto_recharge'),
    'canceled',
    'with its top-up'
);
select is(
    wallet.get_auto_recharge(pg_temp.org('acme')) ->> 'obstacle', 'wallet_frozen', 'automatic recharges say why'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call 2', 'v', 10, 100, 20), '{"success": true}',
    'a call may be charged'
);
select is(
    (select count(*) from wallet.recharge_attempts where org_id = pg_temp.org('acme')), 1::bigint,
    'which asks for no recharge, though the balance is low'
);
select pg_temp.answers(
    wallet.begin_topup(pg_temp.org('acme'), 5000, p_return_url => 'https://acme.example'),
    '{
        "success": false, "error": "wallet_frozen", "refused": "checkouts",
        "message": "The wallet is frozen: Under review."
    }',
    'no new checkout is started, and the answer says why'
);
select pg_temp.answers(
    pg_temp.tell('payment_intent.succeeded', pg_temp.intent('acme')), '{"success": true, "outcome": "processed"}',
    'money that comes in is credited'
);

-- With spending refused.
do $$ begin perform wallet.configure_freeze('operator', true, true, 'test'); end $$;
select pg_temp.answers(
    call,
    '{
        "success": false, "error": "wallet_frozen", "refused": "spending",
        "message": "The wallet is frozen: Under review."
    }',
    'spending is refused where the rules say so'
)
from (
    values
    (wallet.deduct_call_credits(pg_temp.org('acme'), 'call 3', 'v', 10, 100, 20)),
    (wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 20, 'did', 'x', 'number'))
) as spending (call);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call 2', 'v', 10, 100, 20), '{"success": true, "duplicate": true}',
    'what was charged before is answered as before'
);
select pg_temp.answers(
    wallet.adjust_wallet(pg_temp.org('acme'), 20, 'debit', 'Correction', 'ann', 'fix'),
    '{"success": true, "duplicate": false}',
    'a person may adjust a frozen wallet'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 20, 'bonus', p_idempotency_key => 'gift'),
    '{"success": true, "duplicate": false}',
    'and give it something'
);

select pg_temp.answers(
    wallet.freeze_wallet(pg_temp.org('nobody'), 'x', 'ann'), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises(
    format('select wallet.freeze_wallet(%s)', arguments), sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, ''x'', ''ann''', 'WL001', 'org_id'),
    ('pg_temp.org(''acme''), null, ''ann''', 'WL001', 'reason'),
    ('pg_temp.org(''acme''), '' '', ''ann''', 'WL005', 'reason'),
    ('pg_temp.org(''acme''), ''x'', null', 'WL001', 'actor'),
    ('pg_temp.org(''acme''), ''x'', ''''', 'WL005', 'actor')
) as misuse (arguments, sqlstate, field);
select pg_temp.books_are_right();

select * from finish();
rollback;
