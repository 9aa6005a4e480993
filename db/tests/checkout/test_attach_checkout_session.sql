begin;
select plan(37);
\ir ../support.sql
\ir ../stripe/events.sql
\ir checkouts.sql

do $$ begin perform pg_temp.customer(name) from unnest(array['acme', 'globex', 'paid', 'expired']) as name; end $$;
create temporary table begun (name, answer) as
select name, pg_temp.begin(name) from unnest(array['acme', 'globex', 'paid', 'expired']) as name;

create function pg_temp.begun(p_name text) returns jsonb
language sql stable
return (select answer from begun where name = p_name);

select pg_temp.answers(
    pg_temp.attach(pg_temp.begun('acme')),
    jsonb_build_object(
        'success', true, 'duplicate', false, 'next', 'redirect', 'amount_pence', 5000, 'status', 'pending',
        'checkout_session_id', 'cs_' || (pg_temp.begun('acme') ->> 'topup_id'),
        'checkout_url', 'https://checkout.stripe.com/c/pay/' || (pg_temp.begun('acme') ->> 'topup_id'),
        'expires_at', date_trunc('second', now() + interval '24 hours')
    ),
    'a session that Stripe made is kept, and the customer sent to its page'
);
select is(
    pg_temp.attach(pg_temp.begun('acme')), pg_temp.begin('acme') || '{"duplicate": false}',
    'telling it again changes nothing, and begin_topup answers the same'
);
select is(
    pg_temp.attach(pg_temp.begun('acme'), '{"url": "https://evil.example"}') ->> 'checkout_url',
    'https://checkout.stripe.com/c/pay/' || (pg_temp.begun('acme') ->> 'topup_id'),
    'the page of a session stays the first one'
);
select pg_temp.answers(
    pg_temp.attach(pg_temp.begun('acme'), '{"id": "cs_other"}'),
    jsonb_build_object(
        'success', false, 'error', 'topup_not_found',
        'org_id', pg_temp.org('acme'), 'topup_id', pg_temp.begun('acme') -> 'topup_id'
    ),
    'a top-up has one session, and refuses another'
);

-- The page has to be https, or on this machine, as the sandbox's is.
create function pg_temp.attach_page(p_url text) returns jsonb
language plpgsql
as $$
declare
    v_name constant text := 'page ' || p_url;
begin
    perform pg_temp.customer(v_name);
    return pg_temp.attach(pg_temp.begin(v_name), jsonb_build_object('url', p_url));
end;
$$;

select pg_temp.answers(
    pg_temp.attach_page(url), jsonb_build_object('success', true, 'checkout_url', url),
    format('%s is a page to pay on', url)
)
from
    unnest(
        array[
            'https://checkout.stripe.com/c/pay/cs_1#fid', 'https://pay.acme.example/1',
            'http://127.0.0.1:12111/pay/cs_1', 'http://localhost/pay', 'http://[::1]:8080/pay'
        ]
    ) as url;
select pg_temp.raises(
    format('select pg_temp.attach_page(%L)', url), 'WL006', 'p_session.url', format('%L is not', url)
)
from
    unnest(
        array[
            '', 'http://checkout.stripe.com/c/pay/cs_1', 'http://127.0.0.1.evil.example/',
            'http://localhost@evil.example/', 'http://localhost.evil.example', 'http://127.0.0.1',
            'http://127a0b0c1/', 'javascript:alert(1)', 'https://',
            'https://a b', E'https://a\nb', ' https://a', 'HTTPS://a', '//a'
        ]
    ) as url;

-- Whose session it is.
create temporary table before_foreign as select pg_temp.everything() as state;

select pg_temp.raises(
    format(
        'select wallet.attach_checkout_session(%L, %L, %L)',
        pg_temp.org('globex'), topup_id, pg_temp.session_of(pg_temp.begun('globex'), changes::jsonb)
    ),
    sqlstate,
    field,
    what
)
from (
    values
    (
        pg_temp.begun('acme') ->> 'topup_id', '{}', 'WL006', 'p_session.metadata.topup_id',
        'a session is told of for the top-up that it names'
    ),
    (
        pg_temp.begun('globex') ->> 'topup_id', '{"metadata": {}}', 'WL006', 'p_session.metadata.topup_id',
        'one that names none is not ours'
    ),
    (pg_temp.begun('globex') ->> 'topup_id', '{"id": null}', 'WL001', 'p_session.id', 'a session has an id'),
    (pg_temp.begun('globex') ->> 'topup_id', '{"id": " "}', 'WL005', 'p_session.id', 'which is not blank'),
    (null, '{}', 'WL001', 'p_topup_id', 'the top-up is required')
) as told (topup_id, changes, sqlstate, field, what);
select pg_temp.raises(
    'select wallet.attach_checkout_session(null, gen_random_uuid(), ''{}'')', 'WL001', 'p_org_id',
    'the organization is required'
);
select pg_temp.raises(
    'select wallet.attach_checkout_session(gen_random_uuid(), gen_random_uuid(), null)', 'WL001', 'p_session.id',
    'so is the session'
);
select pg_temp.answers(
    wallet.attach_checkout_session(
        pg_temp.org('acme'), (pg_temp.begun('globex') ->> 'topup_id')::uuid, pg_temp.session_of(pg_temp.begun('globex'))
    ),
    '{"success": false, "error": "topup_not_found"}',
    'another organization has no such top-up'
);
select is(pg_temp.everything(), (select state from before_foreign), 'nothing of this was written');

-- The customer may have paid before our own answer from Stripe was written down.
do $$
begin
    perform pg_temp.tell(
        'payment_intent.succeeded',
        pg_temp.intent(
            'paid',
            jsonb_build_object('id', 'pi_paid', 'metadata', pg_temp.begun('paid') #> '{request,params,metadata}')
        )
    );
end $$;
select pg_temp.answers(
    pg_temp.attach(pg_temp.begun('paid')), '{"success": false, "error": "topup_closed", "status": "paid"}',
    'one that was paid meanwhile needs no page any more'
);
select is(
    (pg_temp.topup(pg_temp.begun('paid'))).stripe_checkout_session_id, 'cs_' || (pg_temp.begun('paid') ->> 'topup_id'),
    'but knows its session'
);
select pg_temp.answers(
    pg_temp.tell(
        'checkout.session.completed',
        pg_temp.session(
            'paid',
            jsonb_build_object(
                'id', 'cs_' || (pg_temp.begun('paid') ->> 'topup_id'), 'payment_intent', 'pi_paid',
                'metadata', pg_temp.begun('paid') #> '{request,params,metadata}'
            )
        )
    ),
    '{"success": true, "duplicate": true, "balance_after": 5000}',
    'whose event credits nothing again'
);
select is(pg_temp.payments('paid'), 'balance 5000, credits 1, top-ups paid', 'one top-up, one credit');

select pg_temp.answers(
    pg_temp.attach(pg_temp.begun('expired'), '{"expires_at": 1700000000}'),
    '{"success": false, "error": "topup_closed", "status": "pending"}',
    'a session that has ended already is closed'
);

select * from finish();
rollback;
