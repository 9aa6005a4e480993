begin;
select plan(38);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

create function pg_temp.payment(p_changes jsonb default '{}') returns wallet.stripe_payment
language sql
return jsonb_populate_record(wallet.read_checkout_session(pg_temp.session()), p_changes);

create temporary table created as
select to_jsonb(wallet.save_topup(null::wallet.topups, pg_temp.payment(), 'pending', 5000)) as topup;
select pg_temp.answers(
    topup,
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'kind', 'wallet_topup', 'status', 'pending', 'amount_pence', 5000,
        'currency', 'gbp', 'stripe_checkout_session_id', 'cs_1', 'stripe_payment_intent_id', 'pi_1', 'last_error', null
    ),
    'a payment of which nobody told before gets its top-up'
)
from created;

-- From each state to each: forward only, and paid is final.
create function pg_temp.moved(p_from text, p_to text) returns text
language plpgsql
as $$
declare
    v_topup wallet.topups;
begin
    update wallet.topups
    set
        status = p_from,
        amount_pence = 5000,
        idempotency_key = case p_from when 'paid' then 'topup:pi_1' end
    where org_id = pg_temp.org('acme')
    returning * into v_topup;
    return (
        wallet.save_topup(v_topup, pg_temp.payment(), p_to, 5000, case p_to when 'paid' then 'topup:pi_1' end)
    ).status;
end;
$$;

select is(
    pg_temp.moved(before.status, after.status),
    case when after.place > before.place then after.status else before.status end,
    format('%s, then %s', before.status, after.status)
)
from
    unnest(array['pending', 'failed', 'expired', 'canceled', 'paid']) with ordinality as before (status, place),
    unnest(array['pending', 'failed', 'expired', 'canceled', 'paid']) with ordinality as after (status, place);

-- What is known stays.
create function pg_temp.saved(p_stored jsonb, p_payment jsonb, p_amount_pence bigint) returns jsonb
language plpgsql
as $$
declare
    v_topup wallet.topups;
begin
    delete from wallet.topups where org_id = pg_temp.org('acme');
    insert into wallet.topups
    select (
        jsonb_populate_record(
            null::wallet.topups,
            (select topup from created) || p_stored
            || case when p_stored ->> 'status' = 'paid' then '{"idempotency_key": "topup:cs_1"}' else '{}' end::jsonb
        )
    ).*
    returning * into v_topup;
    return to_jsonb(wallet.save_topup(v_topup, pg_temp.payment(p_payment), 'failed', p_amount_pence, null, 'No money.'));
end;
$$;

select pg_temp.answers(
    pg_temp.saved('{"amount_pence": null}', '{}', 4000), '{"amount_pence": 4000}', 'an amount not known yet is noted'
);
select pg_temp.answers(
    pg_temp.saved('{"amount_pence": 5000}', '{}', 4000), '{"amount_pence": 5000}', 'a known one stays'
);
select pg_temp.answers(
    pg_temp.saved('{"stripe_payment_intent_id": null}', '{"payment_intent_id": "pi_2"}', 5000),
    '{"stripe_payment_intent_id": "pi_2", "stripe_checkout_session_id": "cs_1"}',
    'a payment intent not known yet is noted'
);
select pg_temp.answers(
    pg_temp.saved(
        '{"stripe_payment_intent_id": null, "status": "paid"}', '{"payment_intent_id": "pi_2"}', 5000
    ),
    '{"status": "paid", "stripe_payment_intent_id": null}',
    'a paid top-up keeps the key that its credit has'
);
select pg_temp.answers(
    pg_temp.saved('{"stripe_checkout_session_id": null}', '{"checkout_session_id": "cs_2"}', 5000),
    '{"stripe_checkout_session_id": "cs_2", "last_error": "No money."}',
    'a session not known yet is noted, and the reason of a failure'
);
select pg_temp.answers(
    pg_temp.saved('{"status": "paid"}', '{}', 5000), '{"status": "paid", "last_error": null}',
    'a paid top-up takes no reason of a failure'
);

create function pg_temp.absorbed() returns jsonb
language plpgsql
as $$
declare
    v_topup wallet.topups;
begin
    update wallet.topups
    set status = 'pending', idempotency_key = null, stripe_payment_intent_id = null, charged_pence = null
    where org_id = pg_temp.org('acme')
    returning * into v_topup;
    insert into wallet.topups (
        org_id, kind, status, amount_pence, currency, stripe_payment_intent_id, idempotency_key, charged_pence,
        refunded_pence, reversed_pence, reversals
    )
    values (
        pg_temp.org('acme'), 'wallet_topup', 'paid', 5000, 'gbp', 'pi_1', 'topup:pi_1', 6000, 600, 500, 2
    );
    return to_jsonb(wallet.save_topup(v_topup, pg_temp.payment(), 'paid', 5000, 'topup:pi_1'));
end;
$$;

-- What was charged, and what was taken back.
select pg_temp.answers(
    pg_temp.saved(stored::jsonb, payment::jsonb, 5000), jsonb_build_object('charged_pence', charged),
    format('%s, then charged %s: %s', stored, payment, coalesce(charged::text, 'unknown'))
)
from (
    values
    ('{"charged_pence": null}', '{"charged_pence": 6000}', 6000),
    ('{"charged_pence": null}', '{"charged_pence": 0}', null),
    ('{"charged_pence": 6000}', '{"charged_pence": 5000}', 6000),
    ('{"status": "paid", "charged_pence": null}', '{"charged_pence": 6000}', 6000),
    ('{"status": "paid", "charged_pence": 6000}', '{"charged_pence": 5000}', 6000)
) as told (stored, payment, charged);
select pg_temp.answers(
    pg_temp.absorbed(),
    '{"charged_pence": 6000, "refunded_pence": 600, "reversed_pence": 500, "reversals": 2}',
    'a row that a payment intent has made of its own leaves all that to the real one'
);

select * from finish();
rollback;
