begin;
select plan(6);
\ir ../support.sql
\ir tenants.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('tokyo', p_currency => 'jpy');
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann', 250);
end $$;

select is(
    pg_temp.as_tenant(name, 'list_own_topup_options()'), wallet.list_topup_options(pg_temp.org(name)),
    format('%s is told what a backend is told of it', name)
)
from unnest(array['acme', 'tokyo']) as name;
select pg_temp.refuses_nameless('list_own_topup_options()');

select * from finish();
rollback;
