begin;
select plan(56);
\ir ../support.sql
\ir ../reservations/reservations.sql

-- One charge of a batch, with these changes.
create function pg_temp.charge(
    p_name text, p_call_id text, p_amount_pence bigint, p_changes jsonb default '{}'
) returns jsonb
language sql immutable
return jsonb_build_object(
    'org_id', pg_temp.org(p_name), 'call_id', p_call_id, 'vapi_call_id', 'v_' || p_call_id, 'provider_cost_pence', 10,
    'markup_percent', 100, 'client_charged_pence', p_amount_pence
) || p_changes;

create function pg_temp.batch(variadic p_charges jsonb[]) returns jsonb
language sql
return wallet.deduct_call_credits_batch(to_jsonb(p_charges));

-- The answers of a batch as their indexes and outcomes.
create function pg_temp.outcomes(p_answer jsonb) returns text
language sql immutable
return (
    select
        string_agg(
            format(
                '%s %s', item.r ->> 'index',
                case
                    when not (item.r ->> 'success')::boolean then item.r ->> 'error'
                    when (item.r ->> 'duplicate')::boolean then 'duplicate'
                    else 'charged ' || (item.r ->> 'amount_pence')
                end
            ),
            ', ' order by item.place
        )
    from jsonb_array_elements(p_answer -> 'results') with ordinality as item (r, place)
);

-- Several wallets, in an order of its own.
do $$
begin
    perform pg_temp.open_caller('acme', 1000);
    perform pg_temp.open_caller('bolt', 1000);
end $$;
create temporary table answered as
select
    pg_temp.batch(
        pg_temp.charge('bolt', 'call_1', 100, '{"cost_breakdown": {"llm": 7}, "description": "To London"}'),
        pg_temp.charge('acme', 'call_1', 200),
        pg_temp.charge('bolt', 'call_2', 300),
        pg_temp.charge('acme', 'call_2', 400)
    ) as answer;
select is(
    pg_temp.outcomes(answer), '0 charged 100, 1 charged 200, 2 charged 300, 3 charged 400',
    'every charge is answered, in the order in which they came'
)
from answered;
select pg_temp.answers(
    answer, '{"success": true, "charged": 4, "duplicates": 0, "refused": 0}', 'and counted'
)
from answered;
select pg_temp.answers(
    answer #> '{results,2}',
    jsonb_build_object(
        'success', true, 'duplicate', false, 'index', 2, 'balance_before', 900, 'balance_after', 600,
        'client_charged_pence', 300, 'provider_cost_pence', 10, 'gross_profit_pence', 290, 'needs_recharge', false,
        'debt_limit', 500, 'remaining_debt_capacity', 500, 'in_debt', false, 'transaction_id', (
            select id from wallet.credit_transactions
            where org_id = pg_temp.org('bolt') and idempotency_key = 'call:call_2'
        )
    ),
    'as deduct_call_credits answers'
)
from answered;
select is(pg_temp.money('acme') || ', ' || pg_temp.money('bolt'), '400 0 0, 600 0 0', 'the money is taken');
select pg_temp.answers(
    to_jsonb(e),
    '{
        "type": "call_deduction", "direction": "debit", "amount_pence": 100, "balance_before_pence": 1000,
        "balance_after_pence": 900, "idempotency_key": "call:call_1", "call_id": "call_1",
        "vapi_call_id": "v_call_1", "provider_cost_pence": 10, "client_charged_pence": 100, "gross_profit_pence": 90,
        "markup_percent": 100, "cost_breakdown": {"llm": 7}, "description": "To London", "created_by": "system",
        "entry_number": 2
    }',
    'and each entry holds what a single charge''s would'
)
from wallet.credit_transactions as e
where e.org_id = pg_temp.org('bolt') and e.call_id = 'call_1';
select pg_temp.answers(
    wallet.get_wallet_summary(pg_temp.org('acme')),
    '{"total_calls": 2, "total_spent_pence": 600, "total_profit_pence": 580}', 'the totals are right'
);
select pg_temp.books_are_right();

-- Sent again.
create temporary table before_replay as select pg_temp.everything() as state;
create temporary table replayed as
select
    pg_temp.batch(
        pg_temp.charge('acme', 'call_2', 400),
        pg_temp.charge('bolt', 'call_2', 300),
        pg_temp.charge('acme', 'call_1', 200),
        pg_temp.charge('bolt', 'call_1', 100)
    ) as answer;
select pg_temp.answers(
    answer, '{"success": true, "charged": 0, "duplicates": 4, "refused": 0}', 'sent again all of it is duplicates'
)
from replayed;
select is(
    (answered.answer #> '{results,2}') || '{"duplicate": true, "index": 1}', replayed.answer #> '{results,1}',
    'with the original answers'
)
from answered, replayed;
select is(pg_temp.everything(), state, 'and nothing is written') from before_replay;
select is(
    pg_temp.spend('acme', 'call_2', 400) -> 'duplicate', 'true', 'a single charge of such a call is a duplicate, too'
);
do $$ begin perform pg_temp.spend('acme', 'call_3', 50); end $$;
select is(
    pg_temp.outcomes(pg_temp.batch(pg_temp.charge('acme', 'call_3', 50))), '0 duplicate',
    'and so is in a batch what was charged singly'
);

-- Duplicates and conflicts within a batch.
do $$ begin perform pg_temp.open_caller('twice', 1000); end $$;
create temporary table twice as
select
    pg_temp.batch(
        pg_temp.charge('twice', 'call_1', 100),
        pg_temp.charge('twice', 'call_1', 100),
        pg_temp.charge('twice', 'call_1', 200),
        pg_temp.charge('twice', 'call_2', 300),
        pg_temp.charge('twice', 'call_1', 100)
    ) as answer;
select is(
    pg_temp.outcomes(answer), '0 charged 100, 1 duplicate, 2 idempotency_conflict, 3 charged 300, 4 duplicate',
    'the same call twice in a batch is charged once, and for other money it is a conflict'
)
from twice;
select pg_temp.answers(answer, '{"charged": 2, "duplicates": 2, "refused": 1}', 'each is counted as what it is')
from twice;
select is(
    (answer #> '{results,0}') || '{"duplicate": true, "index": 4}', answer #> '{results,4}',
    'the duplicate answers what the first one did'
)
from twice;
select pg_temp.answers(
    answer #> '{results,2}',
    jsonb_build_object(
        'success', false, 'error', 'idempotency_conflict', 'original_amount_pence', 100,
        'attempted_amount_pence', 200, 'transaction_id', answer #> '{results,0,transaction_id}'
    ),
    'and the conflict both amounts'
)
from twice;
select is(pg_temp.money('twice'), '600 0 0', 'the balance moves once');

-- Across the debt limit: what fits is charged, whatever was refused before it.
do $$ begin perform pg_temp.open_caller('poor', 100, 500); end $$;
create temporary table poor as
select
    pg_temp.batch(
        pg_temp.charge('poor', 'call_1', 400),
        pg_temp.charge('poor', 'call_2', 201),
        pg_temp.charge('poor', 'call_3', 200),
        pg_temp.charge('poor', 'call_4', 1),
        pg_temp.charge('poor', 'call_2', 201)
    ) as answer;
select is(
    pg_temp.outcomes(answer),
    '0 charged 400, 1 debt_limit_exceeded, 2 charged 200, 3 debt_limit_exceeded, 4 debt_limit_exceeded',
    'one that is refused doesn''t undo the others, before or after it'
)
from poor;
select pg_temp.answers(
    answer #> '{results,1}',
    '{
        "success": false, "error": "debt_limit_exceeded", "current_balance": -300, "debt_limit": 500,
        "attempted_deduction": 201, "new_balance_would_be": -501, "amount_over_limit": 1
    }',
    'a refusal has the numbers of its moment'
)
from poor;
select is(pg_temp.money('poor'), '-500 0 0', 'the limit is reached and not passed');
select is(
    pg_temp.outcomes(
        pg_temp.batch(pg_temp.charge('poor', 'call_1', 400), pg_temp.charge('poor', 'call_2', 201))
    ),
    '0 duplicate, 1 debt_limit_exceeded', 'what was refused may be sent again'
);
do $$ begin perform pg_temp.pay_in('poor', 'more', 1000); end $$;
select is(
    pg_temp.outcomes(pg_temp.batch(pg_temp.charge('poor', 'call_2', 201))), '0 charged 201',
    'and is charged once there is money'
);

-- Bad items, each with its place and what is wrong with it.
create temporary table bad (place integer, item jsonb, field text, what text);
insert into bad
values
(0, pg_temp.charge('acme', 'x', 1) - 'org_id', 'org_id', 'no organization'),
(1, pg_temp.charge('acme', 'x', 1, '{"org_id": "acme"}'), 'org_id', 'an organization that is no UUID'),
(2, pg_temp.charge('acme', 'x', 1) - 'call_id', 'call_id', 'no call id'),
(3, pg_temp.charge('acme', E' \n', 1), 'call_id', 'a blank call id'),
(4, pg_temp.charge('acme', repeat('x', 256), 1), 'call_id', 'a call id that is too long'),
(5, pg_temp.charge('acme', 'x', 0), 'client_charged_pence', 'a price of 0'),
(6, pg_temp.charge('acme', 'x', -5), 'client_charged_pence', 'a negative price'),
(7, pg_temp.charge('acme', 'x', 1) - 'client_charged_pence', 'client_charged_pence', 'no price'),
(8, pg_temp.charge('acme', 'x', 1, '{"client_charged_pence": 1.5}'), 'client_charged_pence', 'half a penny'),
(9, pg_temp.charge('acme', 'x', 1, '{"client_charged_pence": 1e30}'), 'client_charged_pence', 'more than there is'),
(10, pg_temp.charge('acme', 'x', 1, '{"client_charged_pence": "many"}'), 'client_charged_pence', 'a price in words'),
(11, pg_temp.charge('acme', 'x', 1, '{"client_charged_pence": [1]}'), 'client_charged_pence', 'a list of prices'),
(12, pg_temp.charge('acme', 'x', 1, '{"provider_cost_pence": -1}'), 'provider_cost_pence', 'a negative cost'),
(13, pg_temp.charge('acme', 'x', 1, '{"provider_cost_pence": null}'), 'provider_cost_pence', 'no cost'),
(14, pg_temp.charge('acme', 'x', 1, '{"provider_cost_pence": true}'), 'provider_cost_pence', 'a cost that is none'),
(15, pg_temp.charge('acme', 'x', 1, '{"markup_percent": "high"}'), 'markup_percent', 'a mark-up in words'),
(16, pg_temp.charge('acme', 'x', 1, '{"markup_percent": 99999999999}'), 'markup_percent', 'a mark-up beyond integer'),
(17, '"call"', null, 'a text'), (18, 'null', null, 'null'), (19, '[]', null, 'a list'), (20, '7', null, 'a number'),
(21, '{}', 'org_id', 'nothing at all');

create temporary table before_bad as select pg_temp.everything() as state;
create temporary table refused as
select wallet.deduct_call_credits_batch((select jsonb_agg(item order by place) from bad)) as answer;
select pg_temp.answers(
    answer, '{"success": true, "charged": 0, "duplicates": 0, "refused": 22}', 'bad items are refused, not raised'
)
from refused;
select is_empty(
    $$
        select bad.what, r
        from bad, refused, jsonb_array_elements(answer -> 'results') with ordinality as t (r, n)
        where n = place + 1 and (
            (r ->> 'error', (r ->> 'index')::integer) is distinct from ('invalid_charge', place)
            or regexp_replace(r ->> 'field', '^p_', '') is distinct from coalesce(field, 'item')
            or coalesce(r ->> 'expected', '') = '' or coalesce(r ->> 'message', '') = ''
        )
    $$,
    'each as invalid_charge with its index, its field and what was expected'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_bad;
select is(
    pg_temp.outcomes(
        wallet.deduct_call_credits_batch(
            jsonb_build_array(
                pg_temp.charge('acme', 'good 1', 10), '{}'::jsonb, pg_temp.charge('nobody', 'x', 10), 'null'::jsonb,
                pg_temp.charge('acme', 'good 2', 10)
            )
        )
    ),
    '0 charged 10, 1 invalid_charge, 2 organization_not_found, 3 invalid_charge, 4 charged 10',
    'bad items don''t spoil good ones'
);
select pg_temp.answers(
    pg_temp.batch(pg_temp.charge('nobody', 'x', 10)) #> '{results,0}',
    jsonb_build_object(
        'success', false, 'error', 'organization_not_found', 'org_id', pg_temp.org('nobody'), 'index', 0
    ),
    'an organization that doesn''t exist is refused as a single charge''s is'
);

-- Names with and without p_, and nothing that isn't needed.
do $$ begin perform pg_temp.open_caller('names', 1000); end $$;
select is(
    pg_temp.outcomes(
        pg_temp.batch(
            jsonb_build_object(
                'p_org_id', pg_temp.org('names'), 'p_call_id', 'call_1', 'p_provider_cost_pence', 5,
                'p_client_charged_pence', 100
            ),
            jsonb_build_object(
                'org_id', pg_temp.org('names'), 'call_id', 'call_2', 'provider_cost_pence', 0,
                'client_charged_pence', 100, 'vapi_call_id', null, 'markup_percent', null, 'cost_breakdown', null,
                'description', null
            )
        )
    ),
    '0 charged 100, 1 charged 100', 'arguments may be named as the function names them'
);
select pg_temp.answers(
    to_jsonb(e),
    '{
        "cost_breakdown": null, "description": null, "vapi_call_id": null, "markup_percent": null,
        "provider_cost_pence": 0
    }',
    'what is null stays null'
)
from wallet.credit_transactions as e
where e.org_id = pg_temp.org('names') and e.call_id = 'call_2';

-- Holds, lapsed holds, what is owed, frozen wallets.
do $$
begin
    perform pg_temp.open_caller('held', 1000, 0);
    perform pg_temp.reserve('held', 'under way', 4);
end $$;
select is(
    pg_temp.outcomes(
        pg_temp.batch(
            pg_temp.charge('held', 'call_1', 201), pg_temp.charge('held', 'call_2', 150),
            pg_temp.charge('held', 'call_3', 51), pg_temp.charge('held', 'call_4', 50)
        )
    ),
    '0 debt_limit_exceeded, 1 charged 150, 2 debt_limit_exceeded, 3 charged 50', 'what is held is respected'
);
do $$ begin perform pg_temp.later('held', 'under way'); end $$;
select is(
    pg_temp.outcomes(pg_temp.batch(pg_temp.charge('held', 'call_1', 201))), '0 charged 201',
    'unless its time has passed, though no worker has seen it'
);
select is(pg_temp.money('held'), '599 0 0', 'then it is given back');
do $$
begin
    perform pg_temp.open_caller('owing', 0, 500);
    perform pg_temp.bill('owing', 'long', 210);
    perform wallet.set_debt_limit(pg_temp.org('owing'), 900, 'ann');
end $$;
select is(
    pg_temp.outcomes(
        pg_temp.batch(pg_temp.charge('owing', 'call_1', 201), pg_temp.charge('owing', 'call_2', 200))
    ),
    '0 debt_limit_exceeded, 1 charged 200', 'what is owed is collected first'
);
select is(pg_temp.money('owing'), '-900 0 0', 'of which the batch leaves nothing behind');
select is(
    pg_temp.charges('owing', 'long'), 'call:long=500 call_owed:long:1=200', 'and with entries of its own'
);
do $$
begin
    perform pg_temp.open_caller('frozen', 1000);
    perform pg_temp.spend('frozen', 'call_1', 100);
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
end $$;
select is(
    pg_temp.outcomes(
        pg_temp.batch(
            pg_temp.charge('frozen', 'call_1', 100), pg_temp.charge('frozen', 'call_2', 100),
            pg_temp.charge('names', 'call_3', 100)
        )
    ),
    '0 duplicate, 1 wallet_frozen, 2 charged 100', 'a frozen wallet refuses what is new, and tells what was'
);

-- The call's own reservation.
do $$
begin
    perform pg_temp.open_caller('own', 1000, 0);
    perform pg_temp.reserve('own', 'call_1');
    perform pg_temp.batch(pg_temp.charge('own', 'call_1', 300));
    perform pg_temp.commit_call('own', 'call_1', 60);
    perform pg_temp.bill('own', 'call_1', 60);
    perform pg_temp.later('own', 'call_1');
    perform wallet.cleanup_expired_reservations();
end $$;
select ok(
    pg_temp.charges('own', 'call_1') in ('call:call_1=300', 'call:call_1=200')
    and pg_temp.money('own') in ('700 0 0', '800 0 0'),
    'a call that is charged by a batch and by its reservation is charged once, and nothing stays held'
);

-- Calls that were billed.
do $$
begin
    perform pg_temp.open_caller('billed', 1000);
    perform pg_temp.bill('billed', 'silent', 0);
    perform wallet.bill_call(pg_temp.org('billed'), 'told', 60, 'v_by another id');
end $$;
select is(
    pg_temp.outcomes(
        pg_temp.batch(
            pg_temp.charge('billed', 'silent', 100), pg_temp.charge('billed', 'new', 100),
            pg_temp.charge('billed', 'told', 100), pg_temp.charge('billed', 'by another id', 100),
            pg_temp.charge('billed', 'by another id', 200, '{"provider_cost_pence": 0}')
        )
    ),
    '0 idempotency_conflict, 1 charged 100, 2 idempotency_conflict, 3 idempotency_conflict, 4 duplicate',
    'a call that was billed can''t be charged again, not even if it cost nothing or has another id'
);
select is(pg_temp.money('billed'), '700 0 0', 'and nothing is charged for it');


-- What a single charge causes beside its entry.
do $$
begin
    perform pg_temp.open_caller('low', 1000);
    delete from wallet.outbox_messages;
    perform pg_temp.batch(
        pg_temp.charge('low', 'call_1', 450), pg_temp.charge('low', 'call_2', 100), pg_temp.charge('low', 'call_3', 100),
        pg_temp.charge('names', 'call_4', 1)
    );
end $$;
select is(
    (
        select string_agg(format('%s %s %s', topic, payload -> 'balance_pence', payload -> 'low_balance_pence'), ', ')
        from wallet.outbox_messages
        where org_id = pg_temp.org('low')
    ),
    'low_balance 450 500', 'a balance that falls below its threshold within a batch is told once'
);
do $$
begin
    perform pg_temp.open_caller('recharging', 1000);
    perform wallet.attach_stripe_customer(pg_temp.org('recharging'), 'cus_1');
    perform wallet.keep_payment_method(pg_temp.org('recharging'), 'pm_1');
    perform wallet.set_auto_recharge(pg_temp.org('recharging'), true, 'ann', 500, 5000);
end $$;
select pg_temp.answers(
    pg_temp.batch(
        pg_temp.charge('recharging', 'call_1', 100), pg_temp.charge('recharging', 'call_2', 500),
        pg_temp.charge('recharging', 'call_3', 100)
    ) #> '{results,2}',
    '{"success": true, "balance_after": 300, "needs_recharge": true}', 'one that recharges itself is told so'
);
select is(
    (select count(*) from wallet.recharge_attempts where org_id = pg_temp.org('recharging')), 1::bigint,
    'and asks for one recharge'
);
do $$
begin
    perform pg_temp.open_caller('refused', 400, 0);
    perform wallet.attach_stripe_customer(pg_temp.org('refused'), 'cus_2');
    perform wallet.keep_payment_method(pg_temp.org('refused'), 'pm_2');
    perform wallet.set_auto_recharge(pg_temp.org('refused'), true, 'ann', 500, 5000);
    delete from wallet.recharge_attempts where org_id = pg_temp.org('refused');
    perform pg_temp.batch(pg_temp.charge('refused', 'call_1', 700));
end $$;
select is(
    (select count(*) from wallet.recharge_attempts where org_id = pg_temp.org('refused')), 1::bigint,
    'also where it was refused, as a single charge does'
);

-- Boundaries.
select pg_temp.answers(
    wallet.deduct_call_credits_batch('[]'),
    '{"success": true, "results": [], "charged": 0, "duplicates": 0, "refused": 0}', 'an empty batch is nothing to do'
);
do $$
begin
    perform pg_temp.open_caller('rich', 9223372036854775807, 0);
    perform pg_temp.open_caller('endless', 0, 9223372036854775807);
end $$;
select is(
    pg_temp.outcomes(
        pg_temp.batch(
            pg_temp.charge('rich', 'call_1', 9223372036854775807), pg_temp.charge('rich', 'call_2', 1),
            pg_temp.charge('endless', 'call_1', 9223372036854775807), pg_temp.charge('endless', 'call_2', 1)
        )
    ),
    '0 charged 9223372036854775807, 1 debt_limit_exceeded, 2 charged 9223372036854775807, 3 debt_limit_exceeded',
    'the largest amounts are like any other'
);
do $$
begin
    perform pg_temp.open_caller('debtor', -9223372036854775000, 500);
    perform wallet.set_debt_limit(pg_temp.org('debtor'), 9223372036854775807, 'ann');
end $$;
select is(
    pg_temp.outcomes(pg_temp.batch(pg_temp.charge('debtor', 'call_1', 808), pg_temp.charge('debtor', 'call_2', 807))),
    '0 debt_limit_exceeded, 1 charged 807', 'a balance goes down to the end of bigint and not beyond'
);
do $$
begin
    perform pg_temp.open_caller('busy', 100000);
    perform wallet.deduct_call_credits_batch(
        (select jsonb_agg(pg_temp.charge('busy', 'call_' || n, 1 + n % 7)) from generate_series(1, 1000) as n)
    );
end $$;
select is(
    pg_temp.entries(pg_temp.org('busy')), 1001::bigint, 'a thousand charges of one wallet are a thousand entries'
);
select is(
    pg_temp.balance(pg_temp.org('busy')),
    100000 - (select sum(1 + n % 7) from generate_series(1, 1000) as n), 'and the sum of them is gone'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    $$select wallet.deduct_call_credits_batch(null)$$, 'WL001', 'p_charges', 'a batch is required'
);
select pg_temp.raises(
    format('select wallet.deduct_call_credits_batch(%L)', what), 'WL006', 'p_charges', what || ' is no batch'
)
from unnest(array['{}', '"x"', '7', 'null']) as what;
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
