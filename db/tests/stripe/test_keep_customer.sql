begin;
select plan(11);
\ir ../support.sql

create function pg_temp.kept(p_name text, p_customer text, p_card text) returns text
language plpgsql
as $$
begin
    perform wallet.keep_customer(pg_temp.org(p_name), p_customer, p_card);
    return (
        select concat_ws(' ', coalesce(stripe_customer_id, 'nobody'), coalesce(stripe_default_pm_id, 'no card'))
        from wallet.organizations
        where id = pg_temp.org(p_name)
    );
end;
$$;

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
    perform pg_temp.open_wallet('initech');
end $$;

select is(pg_temp.kept('acme', null, null), 'nobody no card', 'a payment of nobody leaves nothing');
select is(pg_temp.kept('acme', null, 'pm_1'), 'nobody no card', 'a card without its customer can''t be charged');
select is(pg_temp.kept('acme', 'cus_1', null), 'cus_1 no card', 'the first customer is kept');
select is(pg_temp.kept('acme', 'cus_2', null), 'cus_1 no card', 'and stays');
select is(
    pg_temp.kept('acme', 'cus_2', 'pm_2'), 'cus_1 no card', 'a card of another customer can''t be charged for it'
);
select is(pg_temp.kept('acme', 'cus_1', 'pm_1'), 'cus_1 pm_1', 'the first card that has paid is kept');
select is(pg_temp.kept('acme', 'cus_1', 'pm_3'), 'cus_1 pm_1', 'and stays the one that is charged');
select set_eq(
    $$select id from wallet.payment_methods where org_id = pg_temp.org('acme')$$, array['pm_1', 'pm_3'],
    'the other one is remembered'
);
select is(pg_temp.kept('globex', 'cus_1', 'pm_1'), 'cus_1 pm_1', 'two organizations may share a customer and a card');
select is(pg_temp.kept('initech', 'cus_3', 'pm_3'), 'cus_3 pm_3', 'customer and card may come at once');
select is(pg_temp.kept('initech', null, null), 'cus_3 pm_3', 'a payment that names neither changes neither');

select * from finish();
rollback;
