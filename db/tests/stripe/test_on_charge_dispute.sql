begin;
select plan(40);
\ir ../support.sql
\ir events.sql

create function pg_temp.known_dispute(p_name text, p_id text default 'du_1') returns jsonb
language sql stable
return (select to_jsonb(d) from wallet.stripe_disputes as d where org_id = pg_temp.org(p_name) and id = p_id);

do $$ begin perform pg_temp.pay('acme'); end $$;

-- The life of a dispute that is won.
select pg_temp.answers(
    pg_temp.tell('charge.dispute.created', pg_temp.dispute('acme')),
    jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', pg_temp.org('acme'), 'reversed_pence', 0),
    'a dispute is opened'
);
select is(pg_temp.reversals('acme'), 'none', 'which moves no money');
select pg_temp.answers(
    to_jsonb(f),
    '{
        "cause": "dispute", "stripe_id": "du_1", "reason": "Dispute du_1 (fraudulent)", "frozen_by": "stripe",
        "lifted_at": null
    }',
    'but freezes the wallet'
)
from wallet.wallet_freezes as f
where org_id = pg_temp.org('acme');
select is(pg_temp.messages('acme', 'wallet_frozen'), 1::bigint, 'and is told to the outbox');
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_withdrawn', pg_temp.dispute('acme')),
    '{"outcome": "processed", "reversed_pence": 5000, "balance_before": 5000, "balance_after": 0}',
    'withdrawn funds are taken back'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_withdrawn', pg_temp.dispute('acme')),
    '{"outcome": "processed", "reversed_pence": 5000}',
    'once'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.closed', pg_temp.dispute('acme', '{"status": "won"}')),
    '{"outcome": "processed", "reversed_pence": 5000}',
    'to win alone brings nothing back'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_reinstated', pg_temp.dispute('acme', '{"status": "won"}')),
    '{"outcome": "processed", "reversed_pence": 0, "balance_after": 5000}',
    'reinstated funds do, exactly what was debited'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_reinstated', pg_temp.dispute('acme', '{"status": "won"}')),
    '{"outcome": "processed", "reversed_pence": 0}',
    'once'
);
select is(pg_temp.reversals('acme'), '-5000 +5000', 'two entries came of all that');
select pg_temp.answers(
    pg_temp.known_dispute('acme'),
    '{
        "stripe_payment_intent_id": "pi_acme", "amount_pence": 5000, "status": "won", "reason": "fraudulent",
        "funds_withdrawn": true, "funds_reinstated": true
    }',
    'the dispute is remembered as it ended'
);
do $$ begin perform pg_temp.tell('charge.dispute.funds_withdrawn', pg_temp.dispute('acme')); end $$;
select pg_temp.answers(
    pg_temp.known_dispute('acme'), '{"status": "won", "funds_withdrawn": true, "funds_reinstated": true}',
    'and older news changes nothing of that'
);
select is(pg_temp.messages('acme', 'wallet_frozen'), 1::bigint, 'one dispute freezes once');
select is(pg_temp.messages('acme', 'payment_reversed'), 2::bigint, 'and each movement is told once');

-- Whichever comes first freezes.
do $$
begin
    perform pg_temp.pay('withdrawn');
    perform pg_temp.pay('reinstated');
    perform pg_temp.pay('closed');
end $$;
select is(
    pg_temp.tell('charge.dispute.' || type, pg_temp.dispute(name)) ->> 'reversed_pence', reversed,
    format('%s, told first, takes %s', type, reversed)
)
from (
    values ('funds_withdrawn', 'withdrawn', '5000'), ('funds_reinstated', 'reinstated', '0'), ('closed', 'closed', '0')
) as told (type, name, reversed);
select is(
    wallet.find_freeze(pg_temp.org(name), 'recharges'), 'Dispute du_1 (fraudulent)',
    format('the dispute of which %s tells first freezes the wallet', name)
)
from unnest(array['withdrawn', 'reinstated', 'closed']) as name;

-- Only what is not reversed already is taken.
do $$
begin
    perform pg_temp.pay('globex');
    perform pg_temp.tell('refund.created', pg_temp.refund('globex', '{"amount": 2000}'));
end $$;
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_withdrawn', pg_temp.dispute('globex')),
    '{"outcome": "processed", "reversed_pence": 5000, "balance_before": 3000, "balance_after": 0}',
    'a dispute over the whole of a payment takes what its refund has left'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_reinstated', pg_temp.dispute('globex')),
    '{"outcome": "processed", "reversed_pence": 2000, "balance_after": 3000}',
    'and returns exactly that'
);
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('globex', '{"id": "re_2", "amount": 3000}')),
    '{"outcome": "processed", "reversed_pence": 5000, "balance_after": 0}',
    'a refund after the dispute is won takes its share'
);

-- Two disputes about one payment.
do $$
begin
    perform pg_temp.pay('initech');
    perform pg_temp.tell('charge.dispute.funds_withdrawn', pg_temp.dispute('initech', '{"amount": 2000}'));
end $$;
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_withdrawn', pg_temp.dispute('initech', '{"id": "du_2", "amount": 1000}')),
    '{"outcome": "processed", "reversed_pence": 3000}',
    'two disputes about one payment add up'
);
select is(
    (select count(*) from wallet.wallet_freezes where org_id = pg_temp.org('initech')), 2::bigint, 'and each freezes'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.created', pg_temp.dispute('initech', '{"amount": 5000}')),
    '{"outcome": "processed", "reversed_pence": 3000}',
    'what was withdrawn is the amount that counts'
);

-- Once lifted, a freeze doesn't come back with the same dispute's next event.
do $$ begin perform wallet.unfreeze_wallet(pg_temp.org('initech'), 'Known customer', 'ann'); end $$;
do $$ begin perform pg_temp.tell('charge.dispute.closed', pg_temp.dispute('initech', '{"status": "lost"}')); end $$;
select is(
    wallet.find_freeze(pg_temp.org('initech'), 'recharges'), null,
    'a dispute that a person has looked at doesn''t freeze anew'
);
select pg_temp.answers(pg_temp.known_dispute('initech'), '{"status": "lost"}', 'its end is noted all the same');

select pg_temp.answers(
    pg_temp.tell('charge.dispute.created', pg_temp.dispute('acme', '{"payment_intent": null}')),
    '{"outcome": "ignored"}',
    'a dispute without a payment intent is none of our business'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.created', pg_temp.dispute('shop order')), '{"outcome": "pending"}',
    'one about a payment that no wallet was credited with is parked'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.created', pg_temp.dispute('acme', '{"id": "du_9", "currency": "eur"}')),
    '{"success": false, "outcome": "failed", "error": "currency_mismatch"}',
    'one in another currency fails'
);
select is(pg_temp.known_dispute('acme', 'du_9'), null, 'and leaves nothing behind');

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select pg_temp.tell(''charge.dispute.created'', pg_temp.dispute(''hooli'', %L))', changes), 'WL010', field,
    format('no dispute: %s', changes)
)
from (
    values
    ('{"id": null}', 'id'),
    ('{"status": null}', 'status'),
    ('{"amount": null}', 'amount'),
    ('{"currency": null}', 'currency'),
    ('{"reason": 7}', 'reason'),
    ('{"payment_intent": 7}', 'payment_intent')
) as malformed (changes, field);
select is(pg_temp.everything(), state, 'and leaves no trace') from before_misuse;
select pg_temp.books_are_right();

select * from finish();
rollback;
