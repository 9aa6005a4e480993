begin;
select plan(22);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('tokyo', p_currency => 'jpy');
    perform pg_temp.open_wallet('dallas', p_currency => 'usd');
end $$;

create function pg_temp.options(p_name text) returns jsonb
language sql
return wallet.list_topup_options(pg_temp.org(p_name));

select is(
    pg_temp.options('acme'),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('acme'), 'currency', 'gbp', 'offered', true, 'min_pence', 500,
        'max_pence', 100000, 'presets_pence', '[1000, 2500, 5000, 10000]'::jsonb, 'plans', '[]'::jsonb, 'usd', true
    ),
    'what is offered from the start'
);
select is(
    pg_temp.options('tokyo'),
    jsonb_build_object(
        'success', true, 'org_id', pg_temp.org('tokyo'), 'currency', 'jpy', 'offered', false, 'min_pence', null,
        'max_pence', null, 'presets_pence', '[]'::jsonb, 'plans', '[]'::jsonb, 'usd', false
    ),
    'a currency without limits has nothing to choose from'
);

-- Amounts to choose from.
do $$ begin perform wallet.set_topup_limits('gbp', 1000, 20000, 'ann', array[7000, 1000, 20000, 3500]); end $$;
select is(
    pg_temp.options('acme') -> 'presets_pence', '[1000, 3500, 7000, 20000]'::jsonb,
    'amounts are shown the smallest first, those at the limits among them'
);
do $$ begin perform wallet.set_topup_limits('gbp', 1001, 19999, 'ann'); end $$;
select pg_temp.answers(
    pg_temp.options('acme'), '{"offered": true, "min_pence": 1001, "max_pence": 19999, "presets_pence": [3500, 7000]}',
    'those beyond new limits are left out'
);
do $$ begin perform wallet.set_topup_limits('gbp', 8000, 19999, 'ann'); end $$;
select pg_temp.answers(
    pg_temp.options('acme'), '{"offered": true, "presets_pence": []}', 'all of them, if need be'
);
do $$ begin perform wallet.set_topup_limits('gbp', 100, 20000, 'ann', '{}'); end $$;
select pg_temp.answers(pg_temp.options('acme'), '{"presets_pence": []}', 'there may be none to choose from');
do $$ begin perform wallet.set_topup_limits('jpy', 1, 1000, 'ann'); end $$;
select pg_temp.answers(
    pg_temp.options('tokyo'), '{"offered": true, "min_pence": 1, "max_pence": 1000, "presets_pence": [1000]}',
    'a currency that is offered later has the usual ones within its limits'
);
select is(
    pg_temp.options('dallas') -> 'presets_pence', '[1000, 2500, 5000, 10000]'::jsonb, 'other currencies keep their own'
);

-- Plans.
do $$
begin
    perform wallet.set_topup_plan('a', 'Dear', 'gbp', 9000, 10000, 'ann', 500);
    perform wallet.set_topup_plan('c', 'Cheap', 'gbp', 900, 1000, 'ann');
    perform wallet.set_topup_plan('b', 'Also cheap', 'gbp', 900, 1100, 'ann');
    perform wallet.set_topup_plan('old', 'Old', 'gbp', 1, 100000, 'ann', p_active => false);
    perform wallet.set_topup_plan('dollars', 'Dollars', 'usd', 900, 1000, 'ann');
end $$;
select is(
    pg_temp.options('acme') -> 'plans',
    '[
        {"plan": "b", "name": "Also cheap", "price_pence": 900, "credit_pence": 1100, "bonus_pence": 0},
        {"plan": "c", "name": "Cheap", "price_pence": 900, "credit_pence": 1000, "bonus_pence": 0},
        {"plan": "a", "name": "Dear", "price_pence": 9000, "credit_pence": 10000, "bonus_pence": 500}
    ]'::jsonb,
    'plans of the wallet''s currency are listed by their price, then their key, and none that is over'
);
select is(
    jsonb_path_query_array(pg_temp.options('dallas'), '$.plans[*].plan'), '["dollars"]'::jsonb,
    'another currency has its own'
);
select is(pg_temp.options('tokyo') -> 'plans', '[]'::jsonb, 'or none');
select is(
    (
        select string_agg(wallet.offer_topup('gbp', null, plan ->> 'plan') ->> 'name', ', ')
        from jsonb_array_elements(pg_temp.options('acme') -> 'plans') as plan
    ),
    'Also cheap, Cheap, Dear',
    'each of them can be had'
);

-- Dollars.
do $$
begin
    perform pg_temp.open_wallet('oslo', p_currency => 'nok');
    perform pg_temp.open_wallet('bergen', p_currency => 'nok');
    perform wallet.set_exchange_rate('nok', 'usd', 0.1, 'ann');
end $$;
select is(pg_temp.options('oslo') -> 'usd', 'false'::jsonb, 'a rate to dollars is not one from dollars');
do $$ begin perform wallet.set_exchange_rate('usd', 'nok', 10, 'ann', now() + interval '1 hour'); end $$;
select is(pg_temp.options('oslo') -> 'usd', 'false'::jsonb, 'one that begins later isn''t there yet');
do $$ begin perform wallet.set_exchange_rate('usd', 'nok', 11, 'ann', p_org_id => pg_temp.org('oslo')); end $$;
select is(
    pg_temp.options('oslo') -> 'usd', 'true'::jsonb, 'with a rate of one''s own an amount can be given in dollars'
);
select is(pg_temp.options('bergen') -> 'usd', 'false'::jsonb, 'but not with that of another organization');
do $$ begin perform wallet.set_exchange_rate('usd', 'nok', 12, 'ann'); end $$;
select is(pg_temp.options('bergen') -> 'usd', 'true'::jsonb, 'with one for all it can');
select is(pg_temp.options('dallas') -> 'usd', 'false'::jsonb, 'a wallet in dollars needs no other way to say so');

select pg_temp.answers(
    pg_temp.options('nobody'),
    jsonb_build_object('success', false, 'error', 'organization_not_found', 'org_id', pg_temp.org('nobody')),
    'an unknown organization is refused'
);
select pg_temp.raises('select wallet.list_topup_options(null)', 'WL001', 'p_org_id', 'the organization is required');
select unalike(pg_temp.options('acme')::text, '%updated_by%', 'who set it is not shown');
select pg_temp.everything() as before \gset
select wallet.list_topup_options(pg_temp.org('acme')) as options \gset
select is(pg_temp.everything(), :'before', 'it writes nothing');

select * from finish();
rollback;
