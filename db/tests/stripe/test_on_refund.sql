begin;
select plan(35);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.pay('acme'); end $$;

select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('acme')),
    jsonb_build_object(
        'success', true, 'outcome', 'processed', 'org_id', pg_temp.org('acme'), 'reversed_pence', 1000,
        'balance_before', 5000, 'balance_after', 4000
    ),
    'a refund takes its share of the credits back'
);
select pg_temp.answers(
    to_jsonb(entry),
    '{
        "type": "topup_reversal", "direction": "debit", "amount_pence": 1000, "description": "Refund re_1",
        "idempotency_key": "topup_reversal:pi_acme:1", "stripe_payment_intent_id": "pi_acme", "created_by": "stripe"
    }',
    'as one entry that names the payment'
)
from wallet.credit_transactions as entry
where org_id = pg_temp.org('acme') and entry_number = 2;
select pg_temp.answers(
    to_jsonb(r),
    '{"id": "re_1", "stripe_payment_intent_id": "pi_acme", "amount_pence": 1000, "status": "succeeded"}',
    'the refund is remembered'
)
from wallet.stripe_refunds as r
where org_id = pg_temp.org('acme');
select is(pg_temp.messages('acme', 'payment_reversed'), 1::bigint, 'and told to the outbox');

select pg_temp.answers(
    pg_temp.tell('refund.updated', pg_temp.refund('acme')),
    '{"success": true, "outcome": "processed", "reversed_pence": 1000}',
    'the same refund, told again, is nothing new'
);
select is(pg_temp.reversals('acme'), '-1000', 'and takes nothing more');
select is(pg_temp.messages('acme', 'payment_reversed'), 1::bigint, 'nor is it told twice');
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('acme', '{"id": "re_2", "amount": 2000}')),
    '{"outcome": "processed", "reversed_pence": 3000, "balance_after": 2000}',
    'a second refund takes its own share'
);
select is(pg_temp.reversals('acme'), '-1000 -2000', 'and no more than that');

-- What failed gives back exactly what it took, for good.
select pg_temp.answers(
    pg_temp.tell('refund.failed', pg_temp.refund('acme', '{"status": "failed"}')),
    '{"outcome": "processed", "reversed_pence": 2000, "balance_after": 3000}',
    'a refund that failed gives back what it took'
);
select pg_temp.answers(
    pg_temp.tell('refund.updated', pg_temp.refund('acme')),
    '{"outcome": "processed", "reversed_pence": 2000}',
    'older news of it takes nothing again'
);
select pg_temp.answers(
    pg_temp.tell('refund.updated', pg_temp.refund('acme', '{"id": "re_2", "amount": 2000, "status": "canceled"}')),
    '{"outcome": "processed", "reversed_pence": 0, "balance_after": 5000}',
    'so does one that was canceled'
);
select is(pg_temp.reversals('acme'), '-1000 -2000 +1000 +2000', 'each by an entry of its own');

select is(
    pg_temp.tell(
        'refund.created', pg_temp.refund('acme', jsonb_build_object('id', 're_' || status, 'status', status))
    ) -> 'reversed_pence',
    reversed,
    format('a refund that is %s has left %s', status, reversed)
)
from (
    values
    ('pending', '1000'::jsonb), ('requires_action', '2000'), ('succeeded', '3000'), ('failed', '3000'),
    ('canceled', '3000')
) as refund (status, reversed);
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('acme', '{"id": "re_new", "status": "reconsidered"}')),
    '{"success": false, "outcome": "failed", "error": "unexpected_error"}',
    'a status that Stripe has invented since is for a person to see'
);
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('acme', '{"id": "re_eur", "currency": "eur"}')),
    '{"success": false, "outcome": "failed", "error": "currency_mismatch"}',
    'a refund in another currency is never a guess'
);
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('acme', '{"id": "re_GBP", "currency": "GBP", "amount": 500}')),
    '{"outcome": "processed", "reversed_pence": 3500}',
    'the same currency in capitals is the same'
);

-- Not of a payment that is known.
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('acme', '{"payment_intent": null}')),
    '{"success": true, "outcome": "ignored"}',
    'a refund without a payment intent is none of our business'
);
select pg_temp.answers(
    pg_temp.deliver('evt_other', 'refund.created', pg_temp.refund('shop order')),
    '{"success": true, "outcome": "pending", "org_id": null}',
    'one of a payment that no wallet was credited with is parked'
);
select pg_temp.answers(
    pg_temp.deliver('evt_early', 'refund.created', pg_temp.refund('globex')), '{"outcome": "pending"}',
    'so is one that comes before its credit'
);
do $$ begin perform pg_temp.pay('globex'); end $$;
select is(pg_temp.balance(pg_temp.org('globex')), 4000::bigint, 'which applies it when it lands');
select is(pg_temp.stored('evt_early'), 'processed 2', 'and closes its event');
select is(pg_temp.stored('evt_other'), 'pending 1', 'the other payment''s goes on waiting');

-- What is no refund raises at once, and isn't parked to break the credit later.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select pg_temp.tell(''refund.created'', pg_temp.refund(''initech'', %L))', changes), 'WL010', field,
    format('no refund: %s', changes)
)
from (
    values
    ('{"id": null}', 'id'),
    ('{"status": 5}', 'status'),
    ('{"amount": "1000"}', 'amount'),
    ('{"amount": -1}', 'amount'),
    ('{"currency": null}', 'currency'),
    ('{"payment_intent": 7}', 'payment_intent')
) as malformed (changes, field);
select is(pg_temp.everything(), state, 'and leaves no trace') from before_misuse;
select pg_temp.books_are_right();

select * from finish();
rollback;
