begin;
select plan(19);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.pay('acme'); end $$;

select pg_temp.answers(
    pg_temp.tell('charge.refunded', pg_temp.charge('acme')),
    jsonb_build_object(
        'success', true, 'outcome', 'processed', 'org_id', pg_temp.org('acme'), 'reversed_pence', 1000,
        'balance_after', 4000
    ),
    'a charge of which a part was refunded takes the same part of the credits back'
);
select pg_temp.answers(
    pg_temp.tell('charge.refunded', pg_temp.charge('acme', '{"amount_refunded": 2500}')),
    '{"outcome": "processed", "reversed_pence": 2500, "balance_after": 2500}',
    'its sum is cumulative: only what is new is taken'
);
select pg_temp.answers(
    pg_temp.tell('charge.refunded', pg_temp.charge('acme')),
    '{"outcome": "processed", "reversed_pence": 2500}',
    'an older sum changes nothing'
);
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('acme', '{"amount": 2500}')),
    '{"outcome": "processed", "reversed_pence": 2500}',
    'the refund that makes up the sum is not taken again'
);
select is(pg_temp.reversals('acme'), '-1000 -1500', 'two entries came of all that');
select pg_temp.answers(
    pg_temp.tell('charge.refunded', pg_temp.charge('acme', '{"amount_refunded": 5000}')),
    '{"outcome": "processed", "reversed_pence": 5000, "balance_after": 0}',
    'refunded in full, nothing of the credit is left'
);
select pg_temp.answers(
    to_jsonb(entry), '{"description": "Refunds of charge ch_1", "idempotency_key": "topup_reversal:pi_acme:3"}',
    'the entry names the charge'
)
from wallet.credit_transactions as entry
where org_id = pg_temp.org('acme') and entry_number = 4;

-- A payment that a backend has booked: the charge is the first to tell what was paid.
do $$
begin
    perform pg_temp.open_wallet('booked');
    perform wallet.add_wallet_credits(pg_temp.org('booked'), 5000, 'topup', 'pi_booked');
end $$;
select pg_temp.answers(
    pg_temp.tell('charge.refunded', pg_temp.charge('booked', '{"amount": 6000, "amount_refunded": 3000}')),
    '{"outcome": "processed", "reversed_pence": 2500, "balance_after": 2500}',
    'half of the charge is half of the credit, whatever its tax'
);
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('booked', '{"amount": 3000}')),
    '{"outcome": "processed", "reversed_pence": 2500}',
    'and its refund agrees'
);

select pg_temp.answers(
    pg_temp.tell('charge.refunded', pg_temp.charge('acme', '{"payment_intent": null}')), '{"outcome": "ignored"}',
    'a charge without a payment intent is none of our business'
);
select pg_temp.answers(
    pg_temp.tell('charge.refunded', pg_temp.charge('shop order')), '{"outcome": "pending"}',
    'one of a payment that no wallet was credited with is parked'
);
select pg_temp.answers(
    pg_temp.tell('charge.refunded', pg_temp.charge('acme', '{"currency": "eur"}')),
    '{"success": false, "outcome": "failed", "error": "currency_mismatch"}',
    'one in another currency fails'
);

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select pg_temp.tell(''charge.refunded'', pg_temp.charge(''initech'', %L))', changes), 'WL010', field,
    format('no charge: %s', changes)
)
from (
    values
    ('{"id": null}', 'id'),
    ('{"amount": null}', 'amount'),
    ('{"amount_refunded": 0.5}', 'amount_refunded'),
    ('{"currency": null}', 'currency'),
    ('{"payment_intent": {}}', 'payment_intent')
) as malformed (changes, field);
select is(pg_temp.everything(), state, 'and leaves no trace') from before_misuse;
select pg_temp.books_are_right();

select * from finish();
rollback;
