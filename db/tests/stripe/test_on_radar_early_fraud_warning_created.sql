begin;
select plan(14);
\ir ../support.sql
\ir events.sql

do $$ begin perform pg_temp.pay('acme'); end $$;

select pg_temp.answers(
    pg_temp.tell('radar.early_fraud_warning.created', pg_temp.warning('acme')),
    jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', pg_temp.org('acme')),
    'a warning of the card''s bank is taken note of'
);
select is(pg_temp.payments('acme'), 'balance 5000, credits 1, top-ups paid', 'it moves no money');
select is(
    wallet.find_freeze(pg_temp.org('acme'), 'recharges'), 'Early fraud warning issfr_1 (made_with_stolen_card)',
    'automatic recharges stop'
);
select is(wallet.find_freeze(pg_temp.org('acme'), 'checkouts'), null, 'checkouts don''t');
select is(pg_temp.messages('acme', 'wallet_frozen'), 1::bigint, 'the freeze is told to the outbox');
do $$ begin perform pg_temp.tell('radar.early_fraud_warning.created', pg_temp.warning('acme')); end $$;
select is(pg_temp.messages('acme', 'wallet_frozen'), 1::bigint, 'once');

do $$
begin
    perform pg_temp.pay('globex');
    perform pg_temp.tell('radar.early_fraud_warning.created', pg_temp.warning('globex', '{"fraud_type": null}'));
end $$;
select is(
    wallet.find_freeze(pg_temp.org('globex'), 'recharges'), 'Early fraud warning issfr_1 (no type given)',
    'a warning may not say what it is about'
);
select pg_temp.answers(
    pg_temp.tell('radar.early_fraud_warning.created', pg_temp.warning('acme', '{"payment_intent": null}')),
    '{"outcome": "ignored"}',
    'one without a payment intent is none of our business'
);
select pg_temp.answers(
    pg_temp.deliver('evt_early', 'radar.early_fraud_warning.created', pg_temp.warning('initech')),
    '{"outcome": "pending"}',
    'one about a payment that no wallet was credited with is parked'
);
do $$ begin perform pg_temp.pay('initech'); end $$;
select isnt(
    wallet.find_freeze(pg_temp.org('initech'), 'recharges'), null, 'and freezes the wallet when the credit lands'
);
select is(pg_temp.stored('evt_early'), 'processed 2', 'which closes it');
select pg_temp.raises(
    format('select pg_temp.tell(''radar.early_fraud_warning.created'', pg_temp.warning(''x'', %L))', changes), 'WL010',
    field, format('no warning: %s', changes)
)
from (
    values ('{"id": null}', 'id'), ('{"fraud_type": 7}', 'fraud_type')
) as malformed (changes, field);
select pg_temp.books_are_right();

select * from finish();
rollback;
