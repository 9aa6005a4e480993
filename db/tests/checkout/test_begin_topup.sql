begin;
select plan(63);
\ir ../support.sql
\ir ../stripe/events.sql
\ir checkouts.sql

-- Stripe has to know the customer first.
do $$
begin
    perform wallet.create_wallet(pg_temp.org('acme'), 'Acme', 'sam@acme.example');
end $$;
select pg_temp.answers(
    pg_temp.begin('acme', 5000, 'click'),
    '{"success": true, "duplicate": false, "next": "create_customer"}',
    'an organization that Stripe doesn''t know has to become a customer first'
);
select pg_temp.answers(
    pg_temp.begin('acme', 5000, 'click') #> '{request,params}', '{"name": "Acme", "email": "sam@acme.example"}',
    'with its name and email'
);
select is(pg_temp.topups('acme'), 0::bigint, 'no top-up is begun yet');
do $$ begin perform wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_acme'); end $$;

-- Our row first, then Stripe.
create temporary table first as select pg_temp.begin('acme', 5000, 'click') as answer;

select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'next', 'create_session', 'org_id', pg_temp.org('acme'), 'status',
        'pending',
        'currency', 'gbp', 'price_pence', 5000, 'amount_pence', 5000, 'bonus_pence', 0,
        'checkout_session_id', null, 'checkout_url', null, 'expires_at', null
    ),
    'the same call again begins the top-up'
)
from first;
select pg_temp.answers(
    to_jsonb(pg_temp.topup(answer)),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'kind', 'wallet_topup', 'status', 'pending', 'amount_pence', 5000,
        'price_pence', 5000, 'bonus_pence', 0, 'currency', 'gbp', 'plan', null, 'request_key', 'click',
        'stripe_checkout_session_id', null, 'stripe_payment_intent_id', null,
        'stripe_request', answer #> '{request,params}'
    ),
    'its row is there before Stripe is asked, with the very parameters'
)
from first;
select is(answer #>> '{request,idempotency_key}', answer ->> 'topup_id', 'its id is the idempotency key') from first;
select pg_temp.answers(
    answer #> '{request,params}',
    jsonb_build_object(
        'mode', 'payment', 'customer', 'cus_acme', 'client_reference_id', pg_temp.org('acme'),
        'invoice_creation', '{"enabled": true}'::jsonb
    ),
    'Stripe is told whose payment it is, and to make an invoice'
)
from first;
select is(
    answer #> '{request,params,metadata}',
    jsonb_build_object(
        'type', 'wallet_topup', 'org_id', pg_temp.org('acme'), 'amount_pence', '5000', 'topup_id', answer -> 'topup_id'
    ),
    'the session''s metadata names type, organization, amount and top-up'
)
from first;
select is(
    answer #> '{request,params,payment_intent_data}',
    jsonb_build_object('metadata', answer #> '{request,params,metadata}', 'setup_future_usage', 'off_session'),
    'so does the payment intent''s, which doesn''t inherit it; and the card may be used again'
)
from first;

-- One wish is one session.
create temporary table before_retries as select pg_temp.everything() as state;

select is(
    pg_temp.begin('acme', 5000, key)::text, (answer || '{"duplicate": true}')::text,
    format('%s is answered with the same request, byte for byte', what)
)
from
    first,
    (values ('click', 'the same key'), (null, 'the same wish without a key'),
    ('click 2', 'the same wish under another key'))
        as again (key, what);
select is(
    wallet.begin_topup(
        pg_temp.org('acme'), 5000, null, 'click', 'https://other.example', 'user_2', 'other@acme.example'
    )::text,
    (answer || '{"duplicate": true}')::text,
    'even if the retry says something else of where to return and who asks'
)
from first;
do $$ begin update wallet.organizations set name = 'Acme Ltd', stripe_customer_id = 'cus_new'; end $$;
select is(
    pg_temp.begin('acme', 5000, 'click')::text, (answer || '{"duplicate": true}')::text,
    'or the customer is another by now'
)
from first;
do $$ begin update wallet.organizations set name = 'Acme', stripe_customer_id = 'cus_acme'; end $$;
select is(pg_temp.everything(), (select state from before_retries), 'retries write nothing');

select pg_temp.answers(
    pg_temp.begin('acme', 6000, 'click'),
    '{"error": "idempotency_conflict", "original_amount_pence": 5000, "attempted_amount_pence": 6000}',
    'the same key for another amount is a conflict'
);
select is(pg_temp.everything(), (select state from before_retries), 'which writes nothing either');

create temporary table second as select pg_temp.begin('acme', 6000, 'other') as answer;

select pg_temp.answers(
    answer, '{"success": true, "duplicate": false, "next": "create_session"}', 'another amount is another top-up'
)
from second;
select isnt(s.answer ->> 'topup_id', f.answer ->> 'topup_id', 'with a row of its own') from first as f, second as s;

create temporary table attached as select pg_temp.attach(answer) as answer from first;

select is(
    pg_temp.begin('acme', 5000, key), answer || '{"duplicate": true}',
    format('once it has a session, %s is sent to its page', what)
)
from
    attached,
    (values ('click', 'the same key'), (null, 'the same wish without a key'),
    ('click 3', 'the same wish under another key'))
        as again (key, what);
select is(pg_temp.topups('acme'), 2::bigint, 'two wishes, two top-ups');

-- Who wants to come back elsewhere, has another wish.
create temporary table elsewhere as
select wallet.begin_topup(pg_temp.org('acme'), 5000, p_return_url => 'https://other.example/') as answer;

select pg_temp.answers(
    answer, '{"success": true, "duplicate": false, "next": "create_session"}',
    'the same amount with another way back is another top-up'
)
from elsewhere;
select is(
    answer #>> '{request,params,success_url}',
    format('https://other.example/?topup_id=%s&checkout=success', answer ->> 'topup_id'),
    'which leads back there'
)
from elsewhere;
select is(
    pg_temp.begin('acme', 5000) ->> 'topup_id', answer ->> 'topup_id', 'and the first wish still finds its own'
)
from first;
do $$
begin
    update wallet.topups set status = 'canceled' where stripe_request ->> 'success_url' ~ '^https://other';
end $$;
select is(
    pg_temp.begin('acme', 5000, 'click', null) ->> 'topup_id', answer ->> 'topup_id', 'whatever becomes of the other'
)
from first;

-- A card that is declined leaves the page open.
do $$
begin
    perform pg_temp.tell(
        'payment_intent.payment_failed',
        pg_temp.intent(
            'acme',
            jsonb_build_object(
                'amount_received', 0, 'metadata', (select answer #> '{request,params,metadata}' from first)
            )
        )
    );
end $$;
select pg_temp.answers(
    pg_temp.begin('acme', 5000, 'click'),
    jsonb_build_object('next', 'redirect', 'status', 'failed', 'topup_id', answer -> 'topup_id'),
    'after a declined card the page can be paid on with another'
)
from first;

-- Closed ones.
do $$
begin
    update wallet.topups set expires_at = now() - interval '1 second'
    where id = (select (answer ->> 'topup_id')::uuid from first);
end $$;
select pg_temp.answers(
    pg_temp.begin('acme', 5000, 'click'),
    jsonb_build_object(
        'success', false, 'error', 'topup_closed', 'request_key', 'click', 'topup_id', answer -> 'topup_id'
    ),
    'a session that ran out is closed for its key'
)
from first;

create temporary table third as select pg_temp.begin('acme', 5000, 'click again') as answer;

select pg_temp.answers(
    answer, '{"success": true, "duplicate": false, "next": "create_session"}',
    'the same wish under another key begins anew'
)
from third;
select isnt(t.answer ->> 'topup_id', f.answer ->> 'topup_id', 'with a new row') from first as f, third as t;

do $$
begin
    perform pg_temp.attach((select answer from third));
    perform pg_temp.tell(
        'checkout.session.completed',
        pg_temp.session(
            'acme',
            jsonb_build_object(
                'id', 'cs_' || (answer ->> 'topup_id'), 'payment_intent', 'pi_3',
                'metadata', answer #> '{request,params,metadata}'
            )
        )
    )
    from third;
end $$;
select pg_temp.answers(
    pg_temp.begin('acme', 5000, 'click again'), '{"error": "topup_closed", "status": "paid"}',
    'what was paid is not offered to be paid again'
);
select pg_temp.answers(
    pg_temp.begin('acme', 5000), '{"success": true, "duplicate": false}', 'the same wish later is another top-up'
);

-- Without an answer from Stripe it is asked again under the same key, for ten minutes.
do $$
begin
    update wallet.topups set created_at = clock_timestamp() - interval '9 minutes 50 seconds'
    where id = (select (answer ->> 'topup_id')::uuid from second);
end $$;
select pg_temp.answers(
    pg_temp.begin('acme', 6000, 'other'), '{"success": true, "next": "create_session"}',
    'a top-up without a session asks for it again'
);
do $$
begin
    update wallet.topups set created_at = clock_timestamp() - interval '10 minutes 1 second'
    where id = (select (answer ->> 'topup_id')::uuid from second);
end $$;
select pg_temp.answers(
    pg_temp.begin('acme', 6000, 'other'), '{"success": false, "error": "topup_closed"}', 'but not for ever'
);
select pg_temp.answers(
    pg_temp.begin('acme', 6000), '{"success": true, "duplicate": false}', 'then the wish begins anew'
);

-- Between wallets nothing is shared.
do $$ begin perform pg_temp.customer('globex'); end $$;
select pg_temp.answers(
    pg_temp.begin('globex', 5000, 'click'), '{"success": true, "duplicate": false, "next": "create_session"}',
    'the same key and amount in another wallet is another top-up'
);

-- Limits.
select pg_temp.answers(
    pg_temp.begin('globex', amount), expected, format('%s of 500 to 100000', amount)
)
from (
    values
    (499, '{"success": false, "error": "amount_out_of_range", "min_pence": 500, "max_pence": 100000}'::jsonb),
    (500, '{"success": true}'),
    (100000, '{"success": true}'),
    (100001, '{"success": false, "error": "amount_out_of_range", "amount_pence": 100001}')
) as wish (amount, expected);
do $$ begin perform pg_temp.customer('tokyo', 'jpy'); end $$;
select pg_temp.answers(
    pg_temp.begin('tokyo'), '{"success": false, "error": "currency_not_offered", "currency": "jpy"}',
    'a currency without limits is not offered'
);

-- Plans: what is paid is not what is credited.
do $$
begin
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann', 250);
    perform wallet.set_topup_plan('dollars', 'Dollars', 'usd', 4500, 5000, 'ann');
    perform wallet.set_topup_plan('old', 'Old', 'gbp', 4500, 5000, 'ann', p_active => false);
end $$;

create temporary table by_plan as select pg_temp.begin('globex', null, 'plan click', 'big') as answer;

select pg_temp.answers(
    answer,
    '{"success": true, "duplicate": false, "price_pence": 4500, "amount_pence": 5000, "bonus_pence": 250}',
    'a plan has its price, its credit and its bonus'
)
from by_plan;
select pg_temp.answers(
    answer #> '{request,params,metadata}', '{"plan": "big", "amount_pence": "5000"}',
    'the metadata tells the plan, and the credit without the bonus'
)
from by_plan;
select is(
    answer #> '{request,params,line_items}',
    '[{
        "quantity": 1,
        "price_data": {"currency": "gbp", "unit_amount": 4500, "product_data": {"name": "Big"}}
    }]',
    'the customer pays the price and reads the name'
)
from by_plan;
select isnt(
    pg_temp.begin('globex', 5000) ->> 'topup_id', answer ->> 'topup_id',
    'an amount is no wish for a plan that credits it'
)
from by_plan;
select is(
    pg_temp.begin('globex', null, null, 'big') ->> 'topup_id', answer ->> 'topup_id', 'the same plan is the same wish'
)
from by_plan;
do $$ begin perform wallet.set_topup_plan('big', 'Bigger', 'gbp', 9000, 10000, 'ann', p_active => false); end $$;
select is(
    pg_temp.begin('globex', null, 'plan click', 'big')::text, (answer || '{"duplicate": true}')::text,
    'one that was begun keeps the plan as it was'
)
from by_plan;
select pg_temp.answers(
    pg_temp.begin('globex', null, null, plan),
    jsonb_build_object('success', false, 'error', 'plan_not_found', 'plan', plan, 'currency', 'gbp'),
    format('plan %s is not for this wallet', plan)
)
from unnest(array['nothing', 'dollars', 'old']) as plan;

-- Frozen.
do $$
begin
    perform pg_temp.customer('frozen');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
end $$;
select is(
    pg_temp.begin('frozen'),
    jsonb_build_object(
        'success', false, 'error', 'wallet_frozen', 'refused', 'checkouts', 'org_id', pg_temp.org('frozen'),
        'message', 'The wallet is frozen: Under review.'
    ),
    'a frozen wallet refuses, and says why'
);
select is(pg_temp.topups('frozen'), 0::bigint, 'and begins nothing');
do $$ begin perform wallet.unfreeze_wallet(pg_temp.org('frozen'), 'All is well', 'ann'); end $$;
select pg_temp.answers(pg_temp.begin('frozen'), '{"success": true}', 'until it is unfrozen');
do $$ begin perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review again', 'ann'); end $$;
select pg_temp.answers(
    pg_temp.begin('frozen'), '{"success": false, "error": "wallet_frozen"}',
    'not even one that was begun before is offered'
);

-- Misuse.
select pg_temp.answers(
    pg_temp.begin('nobody'), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises(
    format('select wallet.begin_topup(%L, %L, %L, %L, %L)', org_id, amount, plan, key, url), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 5000, null, null, 'https://a', 'WL001', 'p_org_id'),
    (pg_temp.org('acme'), null, null, null, 'https://a', 'WL001', 'p_amount_pence'),
    (pg_temp.org('acme'), 0, null, null, 'https://a', 'WL002', 'p_amount_pence'),
    (pg_temp.org('acme'), 5000, 'big', null, 'https://a', 'WL006', 'p_amount_pence'),
    (pg_temp.org('acme'), 5000, null, ' ', 'https://a', 'WL005', 'p_request_key'),
    (pg_temp.org('acme'), 5000, null, null, null, 'WL001', 'p_return_url')
) as misuse (org_id, amount, plan, key, url, sqlstate, field);

select pg_temp.books_are_right();

select * from finish();
rollback;
