begin;
select plan(10);
\ir ../support.sql
\ir reservations.sql

create function pg_temp.hold(p_name text, p_pence bigint, p_allow_partial boolean) returns jsonb
language sql
as $$
    select wallet.hold_available(o, p_pence, p_allow_partial) from wallet.organizations as o where id = pg_temp.org(p_name)
$$;

do $$
begin
    perform pg_temp.open_caller('acme', 1000, 500);
    perform pg_temp.open_caller('owing', 300, 0);
    perform pg_temp.reserve('owing', 'under way', 1);
    perform pg_temp.bill('owing', 'over', 60);
    perform wallet.adjust_wallet(pg_temp.org('owing'), 1, 'credit', 'to collect', 'ann', 'adjust');
end $$;
select pg_temp.answers(
    pg_temp.hold('acme', 400, false), '{"success": true, "held_pence": 400}', 'what there is can be held'
);
select pg_temp.answers(
    pg_temp.hold('acme', 601, false), '{"success": false, "error": "insufficient_balance", "shortfall_pence": 1}',
    'the debt limit can''t'
);
select is(pg_temp.money('acme'), '1000 400 0', 'a refusal holds nothing');
select pg_temp.answers(
    pg_temp.hold('acme', 601, true), '{"success": true, "held_pence": 600}', 'a part can be, where a part will do'
);
select is(pg_temp.money('acme'), '1000 1000 0', 'to the last penny');
select pg_temp.answers(
    pg_temp.hold('acme', 1, true), '{"success": false, "error": "insufficient_balance"}', 'nothing is no part'
);
select is(pg_temp.money('owing'), '200 200 99', 'a wallet with money, holds and debts');
select pg_temp.answers(
    pg_temp.hold('owing', 1, false),
    '{"success": false, "balance_pence": 200, "reserved_pence": 200, "owed_pence": 99, "shortfall_pence": 100}',
    'has none to hold'
);
do $$
begin
    perform pg_temp.open_caller('both', 1000, 0);
    update wallet.organizations set owed_pence = 900 where id = pg_temp.org('both');
end $$;
select pg_temp.answers(
    pg_temp.hold('both', 500, true), '{"success": true, "held_pence": 100}', 'what is owed can''t be held'
);
do $$
begin
    perform pg_temp.open_caller('recharging', 400, 0);
    perform wallet.attach_stripe_customer(pg_temp.org('recharging'), 'cus_1');
    perform wallet.keep_payment_method(pg_temp.org('recharging'), 'pm_1');
    perform wallet.set_auto_recharge(pg_temp.org('recharging'), true, 'ann', 500, 5000);
    update wallet.recharge_attempts set state = 'canceled', closed_at = now() - interval '2 days'
    where org_id = pg_temp.org('recharging');
    perform pg_temp.hold('recharging', 1000, false);
end $$;
select is(
    (select count(*) from wallet.recharge_attempts where org_id = pg_temp.org('recharging') and closed_at is null),
    1::bigint, 'who is refused asks for a recharge'
);

select * from finish();
rollback;
