begin;
select plan(5);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme'); perform pg_temp.open_wallet('globex'); end $$;
insert into wallet.topups (org_id, kind, currency, stripe_checkout_session_id, stripe_payment_intent_id, last_error)
values
(pg_temp.org('acme'), 'wallet_topup', 'gbp', 'cs_1', null, 'the session''s'),
(pg_temp.org('acme'), 'wallet_topup', 'gbp', null, 'pi_1', 'the intent''s'),
(pg_temp.org('globex'), 'wallet_topup', 'gbp', 'cs_2', 'pi_2', 'another organization''s');

create function pg_temp.found(p_payment jsonb) returns text
language sql
return (
    wallet.find_topup(
        jsonb_populate_record(
            null::wallet.stripe_payment, jsonb_build_object('org_id', pg_temp.org('acme')) || p_payment
        )
    )
).last_error;

select is(pg_temp.found('{"payment_intent_id": "pi_1"}'), 'the intent''s', 'a payment intent leads to its top-up');
select is(pg_temp.found('{"checkout_session_id": "cs_1"}'), 'the session''s', 'so does a checkout session');
select is(
    pg_temp.found('{"checkout_session_id": "cs_1", "payment_intent_id": "pi_1"}'), 'the session''s',
    'the session''s goes before one that the payment intent made'
);
select is(
    pg_temp.found((
        select jsonb_build_object('checkout_session_id', 'cs_1', 'topup_id', id)
        from wallet.topups
        where last_error = 'the intent''s'
    )),
    'the intent''s',
    'and the one that is named before all others'
);
select is(
    pg_temp.found('{"checkout_session_id": "cs_2", "payment_intent_id": "pi_2"}'), null,
    'another organization''s top-up is not found'
);

select * from finish();
rollback;
