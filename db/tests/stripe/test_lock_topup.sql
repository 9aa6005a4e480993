begin;
select plan(11);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.open_wallet('acme'); perform pg_temp.open_wallet('globex'); end $$;
insert into wallet.topups (
    org_id, kind, status, amount_pence, currency, stripe_checkout_session_id, stripe_payment_intent_id, last_error,
    idempotency_key
)
values
(pg_temp.org('acme'), 'wallet_topup', 'pending', 1, 'gbp', 'cs_1', null, 'by session', null),
(pg_temp.org('acme'), 'wallet_topup', 'pending', 1, 'gbp', null, 'pi_1', 'by intent', null),
(pg_temp.org('acme'), 'wallet_topup', 'pending', 1, 'gbp', 'cs_3', 'pi_3', 'by id', null),
(pg_temp.org('acme'), 'wallet_topup', 'paid', 1, 'gbp', null, 'pi_4', 'paid', 'topup:pi_4'),
(pg_temp.org('globex'), 'wallet_topup', 'pending', 1, 'gbp', 'cs_9', 'pi_9', 'of another organization', null);

create function pg_temp.found(p_payment jsonb) returns text
language plpgsql
as $$
declare
    v_said text;
begin
    return (
        wallet.lock_topup(
            jsonb_populate_record(
                null::wallet.stripe_payment,
                jsonb_build_object('org_id', pg_temp.org('acme'), 'currency', 'gbp') || p_payment
            )
        )
    ).last_error;
exception when sqlstate 'WL011' then
    get stacked diagnostics v_said = pg_exception_detail;
    return v_said;
end;
$$;

select is(pg_temp.found(payment::jsonb), topup, format('%s leads to the top-up %s', payment, coalesce(topup, 'none')))
from (
    values
    ('{"checkout_session_id": "cs_1"}', 'by session'),
    ('{"payment_intent_id": "pi_1"}', 'by intent'),
    ('{"checkout_session_id": "cs_2", "payment_intent_id": "pi_2"}', null),
    ('{"checkout_session_id": "cs_4", "payment_intent_id": "pi_4"}', 'paid'),
    ('{"checkout_session_id": "cs_3", "payment_intent_id": "pi_2"}', 'by id'),
    ('{"checkout_session_id": "cs_9", "payment_intent_id": "pi_9"}', null),
    ('{}', null)
) as asked (payment, topup);
select is(
    pg_temp.found(jsonb_build_object('topup_id', id, 'payment_intent_id', 'pi_4')), 'by id',
    'the top-up that a payment names goes before all others'
)
from wallet.topups
where last_error = 'by id';
select is(
    pg_temp.found(jsonb_build_object('topup_id', id)), null, 'one cannot name a top-up of another organization'
)
from wallet.topups
where last_error = 'of another organization';
select is(pg_temp.found('{"currency": "eur"}'), 'currency_mismatch', 'another currency than the wallet''s fails');
select is(
    pg_temp.found(jsonb_build_object('org_id', pg_temp.org('nobody'))), 'organization_not_found',
    'so does an organization without a wallet'
);

select * from finish();
rollback;
