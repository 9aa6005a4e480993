begin;
select plan(51);
\ir ../support.sql
\ir sms.sql

do $$ begin perform pg_temp.open_wallet('acme', 1000); end $$;

create temporary table charge as
select wallet.charge_sms(pg_temp.org('acme'), 'm1', 2, 'SM1', 'Hello') as answer;

select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'message_id', 'm1', 'twilio_sid', 'SM1',
        'segments', 2, 'price_pence', 8, 'amount_pence', 8, 'status', null, 'refunded_pence', 0,
        'balance_before', 1000, 'balance_after', 992
    ),
    'an SMS of two segments of 5 US cents costs 8 p'
)
from charge;
select pg_temp.answers(
    answer -> 'cost_breakdown',
    '{
        "service": "sms", "quantity": 2, "measured_in": "segment", "unit_price": 5, "price_currency": "usd",
        "price_amount": 10, "rounding": "up", "exchange_rate": 0.79, "amount_pence": 8, "currency": "gbp"
    }',
    'the answer explains why'
)
from charge;
select pg_temp.answers(
    to_jsonb(e),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'sms_deduction', 'direction', 'debit', 'amount_pence', 8,
        'idempotency_key', 'sms:m1', 'description', 'Hello', 'created_by', 'system',
        'cost_breakdown', answer -> 'cost_breakdown'
    ),
    'it is one entry under the message''s key'
)
from charge, wallet.credit_transactions as e
where e.idempotency_key = 'sms:m1';
select pg_temp.answers(
    to_jsonb(m),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'message_id', 'm1', 'twilio_sid', 'SM1', 'segments', 2, 'status', null,
        'price_pence', 8, 'cost_breakdown', answer -> 'cost_breakdown', 'transaction_id', answer -> 'transaction_id',
        'refund_transaction_id', null
    ),
    'and one message'
)
from charge, wallet.sms_messages as m;

-- Replays.
create temporary table before_replay as select pg_temp.everything() as state;
select is(
    wallet.charge_sms(pg_temp.org('acme'), 'm1', 2, 'SM1', 'again'), answer || '{"duplicate": true}',
    'the same message again is answered with the original charge'
)
from charge;
select is(
    wallet.charge_sms(pg_temp.org('acme'), 'm1', 2), answer || '{"duplicate": true}',
    'without its Twilio id too'
)
from charge;
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), 'm1', 3),
    '{
        "success": false, "error": "idempotency_conflict", "original_segments": 2, "attempted_segments": 3,
        "original_amount_pence": 8
    }',
    'with other segments it is a conflict'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), 'm1', 2, 'SM2'),
    '{
        "success": false, "error": "idempotency_conflict", "original_twilio_sid": "SM1",
        "attempted_twilio_sid": "SM2"
    }',
    'as another one of Twilio''s it is a conflict'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), 'm2', 2, 'SM1'),
    '{"success": false, "error": "idempotency_conflict", "original_message_id": "m1", "attempted_message_id": "m2"}',
    'another message can''t be the same one of Twilio''s'
);
select is(pg_temp.everything(), state, 'replays and conflicts write nothing') from before_replay;

do $$ begin perform pg_temp.set_own_price('acme', 'sms', 'segment', 50); end $$;
select is(
    wallet.charge_sms(pg_temp.org('acme'), 'm1', 2), answer || '{"duplicate": true}',
    'a replay after the price has changed is answered with the original price'
)
from charge;
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), 'm2'),
    '{"duplicate": false, "segments": 1, "price_pence": 50, "twilio_sid": null, "balance_after": 942}',
    'a new message costs the new price'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), 'm2', p_twilio_sid => 'SM2'),
    '{"duplicate": true, "price_pence": 50, "twilio_sid": "SM2", "balance_after": 942}',
    'a replay can bring the Twilio id'
);
select is(pg_temp.sms('acme', 'm2'), 'SM2 -', 'which is recorded');
select pg_temp.answers(
    wallet.charge_sms(pg_temp.open_wallet('other', 100), 'm1', 2),
    '{"success": true, "duplicate": false, "balance_after": 92}',
    'message ids are an organization''s own'
);

-- A key that was used by other means.
do $$
begin
    perform wallet.check_balance_and_deduct_asset_cost(
        pg_temp.org('other'), 4, 'sms_deduction', 'x', 'sms:' || m
    )
    from unnest(array['charged', 'charged by two']) as m;
end $$;
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('other'), 'charged'),
    '{"success": true, "duplicate": true, "price_pence": 4, "balance_after": 88}',
    'what was charged under the message''s key is not charged again'
);
select is(
    (select count(*) from wallet.sms_messages where org_id = pg_temp.org('other')), 2::bigint, 'and becomes a message'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('other'), 'charged by two', 2),
    '{"success": false, "error": "idempotency_conflict", "original_amount_pence": 4, "attempted_amount_pence": 8}',
    'another amount is a conflict'
);
select is(
    (select count(*) from wallet.sms_messages where org_id = pg_temp.org('other')), 2::bigint,
    'that leaves no message'
);

-- What came before.
select is(
    pg_temp.tell('SM3', 'undelivered', '{"ErrorCode": "30005"}'), 'pending', 'a message ends before it is charged'
);
create temporary table late_charge as
select wallet.charge_sms(pg_temp.org('other'), 'm3', p_twilio_sid => 'SM3') as answer;
select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "status": "undelivered", "error_code": "30005", "amount_pence": 4,
        "refunded_pence": 4, "balance_before": 84, "balance_after": 80
    }',
    'its charge is given back at once'
)
from late_charge;
select is(pg_temp.balance(pg_temp.org('other')), 84::bigint, 'and the balance is what it was');
select is(
    wallet.charge_sms(pg_temp.org('other'), 'm3', p_twilio_sid => 'SM3'), answer || '{"duplicate": true}',
    'charging it again changes nothing'
)
from late_charge;
select is_empty('select from wallet.sms_callbacks', 'and nothing is parked any more');
select is(pg_temp.tell('SM4', 'delivered'), 'pending', 'another one has arrived before it is charged');
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('other'), 'm4', p_twilio_sid => 'SM4'),
    '{"status": "delivered", "refunded_pence": 0, "balance_after": 80}',
    'and is charged'
);
select is(pg_temp.tell('SM5', 'failed'), 'pending', 'a third one has failed before it is charged');
do $$ begin perform wallet.charge_sms(pg_temp.org('other'), 'm5'); end $$;
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('other'), 'm5', p_twilio_sid => 'SM5'),
    '{"duplicate": true, "status": "failed", "refunded_pence": 4}',
    'and is given back when a replay brings its Twilio id'
);

-- No money, no price, no wallet.
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.charge_sms(pg_temp.open_wallet('poor', 0, 10), 'm1', 3),
    '{"success": false, "error": "debt_limit_exceeded", "debt_limit": 10, "attempted_deduction": 12,
      "amount_over_limit": 2}',
    'a message beyond the debt limit is refused'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('poor'), 'm1', 2), '{"success": true, "balance_after": -8}',
    'after that a shorter one is no conflict, and may use the debt limit'
);
do $$
begin
    perform wallet.configure_freeze('operator', true, true, 'test');
    perform wallet.freeze_wallet(pg_temp.open_wallet('frozen', 100), 'Under review', 'test');
end $$;
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('frozen'), 'm1'), '{"success": false, "error": "wallet_frozen"}',
    'a frozen wallet sends nothing'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('nobody'), 'm1'), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.open_wallet('zurich', 100, 0, 'chf'), 'm1'),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "usd", "to_currency": "chf"}',
    'without a rate of exchange there is no charge'
);
select is(
    (
        select count(*) from wallet.sms_messages
        where org_id in (pg_temp.org('frozen'), pg_temp.org('nobody'), pg_temp.org('zurich'))
    ),
    0::bigint, 'what is refused leaves no message'
);

-- Free of charge.
do $$ begin perform pg_temp.set_own_price('poor', 'sms', 'segment', 0); end $$;
select is(
    wallet.charge_sms(pg_temp.org('poor'), 'free') - 'cost_breakdown',
    jsonb_build_object(
        'success', true, 'duplicate', false, 'amount_pence', 0, 'transaction_id', null,
        'org_id', pg_temp.org('poor'), 'message_id', 'free', 'twilio_sid', null, 'segments', 1, 'price_pence', 0,
        'status', null, 'error_code', null, 'refunded_pence', 0, 'refund_transaction_id', null
    ),
    'a message can be free'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('poor'), 'free'),
    '{"success": true, "duplicate": true, "amount_pence": 0, "transaction_id": null}',
    'and is recorded once'
);
select is(pg_temp.entries(pg_temp.org('poor')), 1::bigint, 'without an entry');

-- Boundaries and misuse.
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), repeat('m', 255), p_twilio_sid => repeat('S', 255)),
    '{"success": true}', 'ids may have 255 characters'
);
select is(pg_temp.tell(repeat('S', 255), 'failed'), 'processed', 'and such a message can fail');
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises($$select wallet.charge_sms(null, 'm')$$, 'WL001', 'org_id', 'an organization is required');
select pg_temp.raises(
    $$select wallet.charge_sms(pg_temp.org('acme'), null)$$, 'WL001', 'message_id', 'a message is required'
);
select pg_temp.raises(
    $$select wallet.charge_sms(pg_temp.org('acme'), ' ')$$, 'WL005', 'message_id', 'a blank one is misuse'
);
select pg_temp.raises(
    $$select wallet.charge_sms(pg_temp.org('acme'), repeat('m', 256))$$, 'WL005', 'message_id',
    'so is one of 256 characters'
);
select pg_temp.raises(
    $$select wallet.charge_sms(pg_temp.org('acme'), 'm', null)$$, 'WL001', 'segments', 'segments are required'
);
select pg_temp.raises(
    $$select wallet.charge_sms(pg_temp.org('acme'), 'm', 0)$$, 'WL002', 'segments', 'none is misuse'
);
select pg_temp.raises(
    $$select wallet.charge_sms(pg_temp.org('acme'), 'm', -1)$$, 'WL002', 'segments', 'so are fewer'
);
select pg_temp.raises(
    $$select wallet.charge_sms(pg_temp.org('acme'), 'm', 1, '')$$, 'WL005', 'twilio_sid', 'a blank Twilio id is misuse'
);
select pg_temp.answers(
    wallet.charge_sms(pg_temp.org('acme'), 'm', 2147483647),
    '{"success": false, "error": "debt_limit_exceeded"}', 'any number of segments has its price'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select is(
    (
        select string_agg(
            pg_temp.outcome(r, null, $q$select wallet.charge_sms(pg_temp.org('acme'), 'by role') ->> 'success'$q$), ' '
            order by r
        )
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as r
    ),
    '42501 42501 true 42501 42501',
    'it is for backends'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
