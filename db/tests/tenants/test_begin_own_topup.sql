begin;
select plan(50);
\ir ../support.sql
\ir ../stripe/events.sql
\ir ../checkout/checkouts.sql
\ir tenants.sql

create function pg_temp.begin_own(
    p_name text, p_amount_pence bigint default 5000, p_key text default null, p_plan text default null,
    p_return_url text default 'https://acme.example/wallet'
) returns jsonb
language sql
return pg_temp.as_tenant(
    p_name,
    format(
        'begin_own_topup(%L, %L, %L, %L)', p_amount_pence, p_plan, p_key, p_return_url
    )
);

-- As a backend would begin it, for the organization of the token.
do $$ begin perform wallet.create_wallet(pg_temp.org('acme'), 'Acme', 'books@acme.example'); end $$;
select is(
    pg_temp.begin_own('acme'),
    wallet.begin_topup(pg_temp.org('acme'), 5000, p_return_url => 'https://acme.example/wallet'),
    'an organization that Stripe doesn''t know has to become a customer first'
);
select pg_temp.answers(
    pg_temp.begin_own('acme'),
    jsonb_build_object('success', true, 'next', 'create_customer', 'org_id', pg_temp.org('acme')),
    'and the answer says so'
);
do $$
begin
    perform wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_acme');
    perform pg_temp.customer('globex');
end $$;

create temporary table first as select pg_temp.begin_own('acme', 5000, 'click') as answer;

select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'next', 'create_session', 'org_id', pg_temp.org('acme'),
        'status', 'pending', 'currency', 'gbp', 'price_pence', 5000, 'amount_pence', 5000, 'bonus_pence', 0,
        'checkout_session_id', null, 'checkout_url', null
    ),
    'a top-up is begun, as by a backend'
)
from first;
select is(
    answer #> '{request,params,metadata}',
    jsonb_build_object(
        'type', 'wallet_topup', 'org_id', pg_temp.org('acme'), 'amount_pence', '5000',
        'topup_id', answer -> 'topup_id', 'userId', 'user_acme', 'userEmail', 'sam@acme.example'
    ),
    'user and email are those of the token'
)
from first;
select is(
    answer #>> '{request,params,success_url}',
    format('https://acme.example/wallet?topup_id=%s&checkout=success', answer ->> 'topup_id'),
    'the customer comes back to the address that was asked for'
)
from first;
select is(pg_temp.topups('acme'), 1::bigint, 'its row is written') from first;
select is(
    (pg_temp.topup(answer)).stripe_request, answer #> '{request,params}', 'with the parameters that are answered'
)
from first;

-- Nobody is anybody else.
select is(
    pg_temp.as_user(
        pg_temp.claims('acme', changes),
        format(
            'select wallet.begin_own_topup(%s, p_return_url => ''https://a'') #> ''{request,params,metadata}''', amount
        )
    )::jsonb - array['type', 'org_id', 'topup_id', 'amount_pence'],
    expected::jsonb,
    format('of a token that says %s, Stripe is told %s', changes, expected)
)
from (
    values
    ('{"sub": null, "email": null}'::jsonb, 5001, '{}'),
    ('{"sub": "", "email": ""}', 5002, '{}'),
    ('{"sub": "u", "email": null}', 5003, '{"userId": "u"}'),
    (
        '{"sub": "u", "email": "a@a", "user_metadata": {"sub": "other", "email": "other@a"}}', 5004,
        '{"userId": "u", "userEmail": "a@a"}'
    )
) as token (changes, amount, expected);

-- The same wish with the same way back is the same top-up; with another, it is another.
select is(
    pg_temp.begin_own('acme', 5000, key)::text, (answer || '{"duplicate": true}')::text,
    format('%s is answered with the same request', what)
)
from
    first,
    (
        values
        ('click', 'the same key'), (null, 'the same wish without a key'), ('other', 'the same wish under another key')
    ) as again (key, what);
select is(
    pg_temp.as_user(
        pg_temp.claims('acme', '{"sub": "colleague"}'),
        'select wallet.begin_own_topup(5000, p_return_url => ''https://acme.example/wallet'') ->> ''topup_id'''
    ),
    answer ->> 'topup_id',
    'a colleague with the same wish and the same way back shares it'
)
from first;

create temporary table diverted as
select pg_temp.begin_own('acme', 6000, null, null, 'https://evil.example/') as answer;

do $$ begin perform pg_temp.attach(answer) from diverted; end $$;

select pg_temp.answers(
    pg_temp.begin_own('acme', 6000), '{"success": true, "duplicate": false, "next": "create_session"}',
    'a page that a colleague opened to come back elsewhere is not offered'
);
select is(
    pg_temp.begin_own('acme', 6000, null, null, 'https://evil.example/') ->> 'checkout_url',
    'https://checkout.stripe.com/c/pay/' || (answer ->> 'topup_id'),
    'but to whom wants to come back there'
)
from diverted;
select is(
    pg_temp.begin_own('acme', 6000) #>> '{request,params,success_url}' ~ '^https://acme\.example/wallet\?', true,
    'and the wish finds the one that it began itself'
);
select pg_temp.answers(
    pg_temp.begin_own('acme', 6000, null, null, url), '{"success": true, "duplicate": false}',
    format('%s is another way back', url)
)
from
    unnest(
        array[
            'https://acme.example/wallet/', 'https://acme.example/wallet?', 'https://acme.example/wallet?topup_id=1',
            'http://acme.example/wallet', 'https://ACME.example/wallet', 'https://acme.example/walle'
        ]
    ) as url;

-- A key of one's own.
select pg_temp.answers(
    pg_temp.begin_own('acme', 7000, 'click'),
    '{"error": "idempotency_conflict", "original_amount_pence": 5000, "attempted_amount_pence": 7000}',
    'the same key for another amount is a conflict'
);
create temporary table of_globex as select pg_temp.begin_own('globex', 5000, 'click') as answer;

select pg_temp.answers(
    answer, jsonb_build_object('success', true, 'duplicate', false, 'org_id', pg_temp.org('globex')),
    'the same key of another organization is another top-up'
)
from of_globex;
select isnt(g.answer ->> 'topup_id', a.answer ->> 'topup_id', 'with a row of its own') from of_globex as g, first as a;
select unalike(answer::text, '%' || name || '%', format('and nothing in it says %s', name))
from of_globex, unnest(array['cus_acme', 'user_acme', 'sam@acme']) as name;

-- What a backend may not, a tenant may not either.
select pg_temp.answers(pg_temp.begin_own('acme', amount), expected, format('%s of 500 to 100000', amount))
from (
    values
    (499, '{"success": false, "error": "amount_out_of_range", "min_pence": 500, "max_pence": 100000}'::jsonb),
    (500, '{"success": true}'),
    (100000, '{"success": true}'),
    (100001, '{"success": false, "error": "amount_out_of_range"}')
) as wish (amount, expected);
do $$
begin
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann', 250);
    perform wallet.set_topup_plan('old', 'Old', 'gbp', 1, 100000, 'ann', p_active => false);
    perform pg_temp.customer('tokyo', 'jpy');
end $$;
select pg_temp.answers(
    pg_temp.begin_own('acme', null, null, 'big'),
    '{"success": true, "price_pence": 4500, "amount_pence": 5000, "bonus_pence": 250}',
    'a plan has its price, its credit and its bonus'
);
select pg_temp.answers(
    pg_temp.begin_own('acme', null, null, plan), '{"success": false, "error": "plan_not_found"}',
    format('there is no plan %s to be had', plan)
)
from unnest(array['old', 'BIG']) as plan;
select pg_temp.answers(
    pg_temp.begin_own('tokyo'), '{"success": false, "error": "currency_not_offered", "currency": "jpy"}',
    'a currency without limits is not offered'
);
do $$ begin perform wallet.freeze_wallet(pg_temp.org('globex'), 'Under review', 'ann'); end $$;
select pg_temp.answers(
    pg_temp.begin_own('globex'),
    jsonb_build_object(
        'success', false, 'error', 'wallet_frozen', 'refused', 'checkouts', 'org_id', pg_temp.org('globex'),
        'message', 'Top-ups of this wallet are on hold. Please contact us.'
    ),
    'a frozen wallet refuses, without the operator''s reason'
);

-- Misuse.
select pg_temp.tenant_raises(
    'acme', format('begin_own_topup(%L, %L, %L, %L)', amount, plan, key, url), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, null, null, 'https://a', 'WL001', 'p_amount_pence'),
    (0, null, null, 'https://a', 'WL002', 'p_amount_pence'),
    (5000, 'big', null, 'https://a', 'WL006', 'p_amount_pence'),
    (5000, null, ' ', 'https://a', 'WL005', 'p_request_key'),
    (5000, null, null, null, 'WL001', 'p_return_url'),
    (5000, null, null, 'javascript:alert(1)', 'WL006', 'p_return_url')
) as misuse (amount, plan, key, url, sqlstate, field);

select pg_temp.refuses_nameless('begin_own_topup(5000, p_return_url => ''https://acme.example/wallet'')');
select pg_temp.books_are_right();

select * from finish();
rollback;
