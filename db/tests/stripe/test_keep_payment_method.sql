begin;
select plan(9);
\ir ../support.sql

create function pg_temp.kept(p_id text, p_card jsonb default null) returns jsonb
language plpgsql
as $$
begin
    perform wallet.keep_payment_method(pg_temp.org('acme'), p_id, p_card);
    return (select to_jsonb(m) from wallet.payment_methods as m where org_id = pg_temp.org('acme') and id = p_id);
end;
$$;

create function pg_temp.charged_card() returns text
language sql stable
return (select stripe_default_pm_id from wallet.organizations where id = pg_temp.org('acme'));

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

select pg_temp.answers(
    pg_temp.kept('pm_1'), '{"id": "pm_1", "brand": null, "last4": null, "detached_at": null}',
    'a card of which no more than its id is known is remembered'
);
select is(pg_temp.charged_card(), 'pm_1', 'and charged, where there is no other');
select pg_temp.answers(
    pg_temp.kept('pm_1', '{"brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2031}'),
    '{"brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2031}',
    'what may be shown of it is added'
);
select pg_temp.answers(
    pg_temp.kept('pm_1'), '{"brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2031}',
    'and stays when it is told of without'
);
select pg_temp.answers(
    pg_temp.kept('pm_1', '{"last4": "1881", "exp_year": 2035}'),
    '{"brand": "visa", "last4": "1881", "exp_month": 11, "exp_year": 2035}',
    'what has changed is changed'
);
do $$ begin perform pg_temp.kept('pm_2'); end $$;
select is(pg_temp.charged_card(), 'pm_1', 'a second card takes no place that is taken');

do $$
begin
    update wallet.payment_methods set detached_at = now() where id = 'pm_1';
    update wallet.organizations set stripe_default_pm_id = null where id = pg_temp.org('acme');
    perform pg_temp.kept('pm_1');
end $$;
select is(pg_temp.charged_card(), null, 'a card that was detached isn''t charged again');
select isnt(
    (select detached_at from wallet.payment_methods where id = 'pm_1'), null, 'it stays detached'
);
do $$ begin perform pg_temp.kept('pm_2'); end $$;
select is(pg_temp.charged_card(), 'pm_2', 'another one takes its place');

select * from finish();
rollback;
