begin;
select plan(11);
\ir ../support.sql

do $$
begin
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann', 250);
    perform wallet.set_topup_plan('huge', 'Huge', 'gbp', 900000, 1000000, 'ann');
    perform wallet.set_topup_plan('old', 'Old', 'gbp', 4500, 5000, 'ann', p_active => false);
    perform wallet.set_topup_limits('jpy', 100, 200, 'ann');
end $$;

select pg_temp.answers(wallet.offer_topup(currency, amount, plan), expected, what)
from (
    values
    (
        'gbp', 500, null,
        '{"name": "Wallet top-up", "price_pence": 500, "credit_pence": 500, "bonus_pence": 0}'::jsonb,
        'an amount costs what it credits'
    ),
    ('gbp', 100000, null, '{"price_pence": 100000}', 'up to the largest'),
    (
        'gbp', 499, null,
        '{"success": false, "error": "amount_out_of_range", "message": "A top-up is from £5.00 to £1,000.00."}',
        'less than the smallest is refused, in words'
    ),
    (
        'gbp', 100001, null,
        '{"error": "amount_out_of_range", "amount_pence": 100001, "min_pence": 500, "max_pence": 100000}',
        'and more than the largest, in numbers'
    ),
    ('jpy', 100, null, '{"price_pence": 100}', 'each currency has limits of its own'),
    ('chf', 500, null, '{"success": false, "error": "currency_not_offered", "currency": "chf"}', 'or isn''t offered'),
    (
        'gbp', null, 'big', '{"name": "Big", "price_pence": 4500, "credit_pence": 5000, "bonus_pence": 250}',
        'a plan is what it says'
    ),
    ('gbp', null, 'huge', '{"price_pence": 900000}', 'also beyond the limits'),
    (
        'gbp', null, 'small', '{"success": false, "error": "plan_not_found", "plan": "small", "currency": "gbp"}',
        'an unknown one is refused'
    ),
    ('usd', null, 'big', '{"error": "plan_not_found"}', 'so is one in another currency'),
    ('gbp', null, 'old', '{"error": "plan_not_found"}', 'and one that is not sold any more')
) as wish (currency, amount, plan, expected, what);

select * from finish();
rollback;
