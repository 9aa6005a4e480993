begin;
select plan(3);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.get_auto_recharge(pg_temp.org('acme'));
end $$;

select is(
    wallet.describe_auto_recharge(pg_temp.org('acme')),
    '{
        "enabled": false, "threshold_pence": 500, "amount_pence": 5000, "max_per_day": 5, "max_per_month": 50,
        "max_pence_per_day": 50000, "max_pence_per_month": 200000, "cooldown_seconds": 900,
        "max_declines": 3
    }',
    'what a wallet starts with'
);
do $$
begin
    perform wallet.set_auto_recharge(pg_temp.org('acme'), true, 'ann', 600, 6000, 1, 2, 7000, 8000, 60, 4);
end $$;
select is(
    wallet.describe_auto_recharge(pg_temp.org('acme')),
    '{
        "enabled": true, "threshold_pence": 600, "amount_pence": 6000, "max_per_day": 1, "max_per_month": 2,
        "max_pence_per_day": 7000, "max_pence_per_month": 8000, "cooldown_seconds": 60,
        "max_declines": 4
    }',
    'and what it was set to'
);
select is(wallet.describe_auto_recharge(pg_temp.org('nobody')), null, 'nothing of nobody');

select * from finish();
rollback;
