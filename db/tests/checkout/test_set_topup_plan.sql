begin;
select plan(18);
\ir ../support.sql

create function pg_temp.plan_of(p_plan text) returns jsonb
language sql stable
return (select to_jsonb(p) - 'updated_at' from wallet.topup_plans as p where plan = p_plan);

select is(
    wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann', 250),
    '{
        "success": true, "plan": "big", "currency": "gbp", "price_pence": 4500, "credit_pence": 5000,
        "bonus_pence": 250, "active": true
    }',
    'a plan is offered'
);
select is(
    pg_temp.plan_of('big'),
    '{
        "plan": "big", "name": "Big", "currency": "gbp", "price_pence": 4500, "credit_pence": 5000, "bonus_pence": 250,
        "active": true, "updated_by": "ann"
    }',
    'and kept, with who did it'
);
do $$ begin perform wallet.set_topup_plan('big', 'Bigger', 'gbp', 9000, 10000, 'bob', p_active => false); end $$;
select is(
    pg_temp.plan_of('big'),
    '{
        "plan": "big", "name": "Bigger", "currency": "gbp", "price_pence": 9000, "credit_pence": 10000,
        "bonus_pence": 0,
        "active": false, "updated_by": "bob"
    }',
    'the plan of that name is replaced as a whole'
);

create function pg_temp.set_plan(p_changes jsonb) returns jsonb
language sql
as $$
    select wallet.set_topup_plan(p_plan, p_name, p_currency, p_price, p_credit, p_actor, p_bonus, p_active)
    from jsonb_to_record(
        '{
            "p_plan": "small", "p_name": "Small", "p_currency": "gbp", "p_price": 500, "p_credit": 500, "p_actor": "ann",
            "p_bonus": 0, "p_active": true
        }'::jsonb
        || p_changes
    ) as plan (
        p_plan text, p_name text, p_currency text, p_price bigint, p_credit bigint, p_actor text, p_bonus bigint,
        p_active boolean
    )
$$;
select pg_temp.raises(
    format('select pg_temp.set_plan(%L)', changes), sqlstate, field, format('%s is checked: %s', changes, sqlstate)
)
from (
    values
    ('{"p_plan": null}', 'WL001', 'p_plan'),
    ('{"p_plan": " "}', 'WL005', 'p_plan'),
    ('{"p_name": ""}', 'WL005', 'p_name'),
    ('{"p_currency": null}', 'WL001', 'p_currency'),
    ('{"p_currency": "pounds"}', 'WL006', 'p_currency'),
    ('{"p_price": null}', 'WL001', 'p_price_pence'),
    ('{"p_price": 0}', 'WL002', 'p_price_pence'),
    ('{"p_credit": null}', 'WL001', 'p_credit_pence'),
    ('{"p_credit": -1}', 'WL002', 'p_credit_pence'),
    ('{"p_bonus": null}', 'WL001', 'p_bonus_pence'),
    ('{"p_bonus": -1}', 'WL002', 'p_bonus_pence'),
    ('{"p_active": null}', 'WL001', 'p_active'),
    ('{"p_actor": null}', 'WL001', 'p_actor'),
    ('{"p_actor": ""}', 'WL005', 'p_actor')
) as misuse (changes, sqlstate, field);
select is(pg_temp.plan_of('small'), null, 'what was refused is not there');

select * from finish();
rollback;
