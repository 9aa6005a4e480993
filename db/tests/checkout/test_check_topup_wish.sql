begin;
select plan(26);
\ir ../support.sql

create function pg_temp.check(p_changes jsonb) returns text
language sql
as $$
    select wallet.check_topup_wish(
        (wish ->> 'org_id')::uuid, (wish ->> 'amount')::bigint, wish ->> 'plan', wish ->> 'key', wish ->> 'url',
        wish ->> 'user_id', wish ->> 'user_email'
    )::text
    from (
        select
            jsonb_build_object('org_id', pg_temp.org('acme'), 'amount', 5000, 'key', 'click', 'url',
            'https://acme.example')
            || p_changes as wish
    ) as asked
$$;

select lives_ok(format('select pg_temp.check(%L)', changes), format('%s is a wish', changes))
from
    unnest(
        array[
            '{}', '{"user_id": "7", "user_email": "ann@acme.example"}', '{"key": null}',
            '{"amount": null, "plan": "big"}', '{"amount": 1}',
            '{"url": "http://localhost:3000/wallet?tab=1"}', '{"url": "https://{CHECKOUT_SESSION_ID}"}'
        ]
    ) as changes;
select lives_ok(
    format('select pg_temp.check(%L)', jsonb_build_object('url', rpad('https://', 2000, 'a'))),
    'a URL may have 2000 characters'
);
select pg_temp.raises(
    format('select pg_temp.check(%L)', changes), sqlstate, field, format('%s is none', left(changes, 60))
)
from (
    values
    ('{"org_id": null}', 'WL001', 'p_org_id'),
    ('{"amount": null}', 'WL001', 'p_amount_pence'),
    ('{"amount": 0}', 'WL002', 'p_amount_pence'),
    ('{"amount": -1}', 'WL002', 'p_amount_pence'),
    ('{"plan": "big"}', 'WL006', 'p_amount_pence'),
    ('{"amount": null, "plan": ""}', 'WL005', 'p_plan'),
    ('{"key": ""}', 'WL005', 'p_request_key'),
    (jsonb_build_object('key', repeat('k', 256))::text, 'WL005', 'p_request_key'),
    ('{"user_id": ""}', 'WL005', 'p_user_id'),
    (jsonb_build_object('user_email', repeat('a', 256))::text, 'WL005', 'p_user_email'),
    ('{"url": "https://a/#top"}', 'WL006', 'p_return_url'),
    ('{"url": null}', 'WL001', 'p_return_url'),
    ('{"url": ""}', 'WL006', 'p_return_url'),
    ('{"url": "/wallet"}', 'WL006', 'p_return_url'),
    ('{"url": "javascript:alert(1)"}', 'WL006', 'p_return_url'),
    ('{"url": "https://a b"}', 'WL006', 'p_return_url'),
    ('{"url": " https://a"}', 'WL006', 'p_return_url'),
    (jsonb_build_object('url', rpad('https://', 2001, 'a'))::text, 'WL006', 'p_return_url')
) as misuse (changes, sqlstate, field);

select * from finish();
rollback;
