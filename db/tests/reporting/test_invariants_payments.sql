begin;
select plan(6);
\ir ../support.sql
\ir ../stripe/events.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_1');
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 5000, 5000, 'test', p_bonus_pence => 500);
    perform pg_temp.deliver(
        'evt_1',
        'checkout.session.completed',
        pg_temp.session('acme', jsonb_build_object(
            'metadata',
            wallet.begin_topup(pg_temp.org('acme'), p_plan => 'big', p_return_url => 'https://acme.example')
            #> '{request,params,metadata}'
        ))
    );
    perform pg_temp.deliver(
        'evt_2',
        'refund.created',
        '{"id": "re_1", "payment_intent": "pi_1", "amount": 1000, "currency": "gbp", "status": "succeeded"}'
    );
end $$;
select is(pg_temp.balance(pg_temp.org('acme')), 4400::bigint, 'a fifth of a payment and of its bonus is taken back');
select pg_temp.books_are_right();

update wallet.topups set reversed_pence = 0;
select results_eq(
    'select problem, expected, actual from wallet.validate_credits_consistency()',
    $$ values ('topup_reversals', '1100 for pi_1', '0 for pi_1') $$,
    'a top-up that forgot its reversals is found'
);
update wallet.topups set reversed_pence = 1100, bonus_pence = 700;
select results_eq(
    'select problem, actual from wallet.validate_credits_consistency()',
    $$ values ('bonus_not_credited', '500') $$,
    'so is a bonus that is not the one that was credited'
);
update wallet.topups set bonus_pence = 500;
update wallet.processed_stripe_webhooks set status = 'pending' where event_id = 'evt_2';
select results_eq(
    'select problem, expected from wallet.validate_credits_consistency()',
    $$ values ('event_parked', 'event evt_2 applied to pi_1') $$,
    'so is a refund that waits for a credit which is there'
);
do $$ begin perform wallet.replay_stripe_event('evt_2'); end $$;
select pg_temp.books_are_right();

select * from finish();
rollback;
