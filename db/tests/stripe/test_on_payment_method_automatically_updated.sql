begin;
select plan(7);
\ir ../support.sql
\ir events.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_1');
    perform pg_temp.tell('payment_method.attached', pg_temp.card());
    insert into wallet.recharge_settings (org_id, declines, blocked_payment_method_id, blocked_because)
    values (pg_temp.org('acme'), 3, 'pm_1', 'the card was declined 3 times in a row');
end $$;

create function pg_temp.renewed(p_changes jsonb default '{}') returns jsonb
language sql
return pg_temp.tell(
    'payment_method.automatically_updated',
    pg_temp.card('{"card": {"brand": "visa", "last4": "1881", "exp_month": 4, "exp_year": 2035}}' || p_changes)
);

select pg_temp.answers(
    pg_temp.renewed(),
    jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', pg_temp.org('acme')),
    'a card that its bank has issued anew is taken note of'
);
select pg_temp.answers(
    to_jsonb(m), '{"last4": "1881", "exp_month": 4, "exp_year": 2035}', 'with its new number and end'
)
from wallet.payment_methods as m
where org_id = pg_temp.org('acme');
select pg_temp.answers(
    to_jsonb(s), '{"declines": 0, "blocked_payment_method_id": null, "blocked_because": null}', 'and is tried again'
)
from wallet.recharge_settings as s
where org_id = pg_temp.org('acme');

do $$
begin
    update wallet.recharge_settings
    set declines = 3, blocked_payment_method_id = 'pm_1', blocked_because = 'again';
    perform pg_temp.tell('payment_method.attached', pg_temp.card('{"id": "pm_2"}'));
    update wallet.recharge_settings
    set declines = 3, blocked_payment_method_id = 'pm_2', blocked_because = 'this one too';
    perform pg_temp.renewed();
end $$;
select pg_temp.answers(
    to_jsonb(s), '{"declines": 0, "blocked_payment_method_id": null}',
    'a renewed card takes the place of a blocked one'
)
from wallet.recharge_settings as s
where org_id = pg_temp.org('acme');
select is(
    (select stripe_default_pm_id from wallet.organizations where id = pg_temp.org('acme')), 'pm_1',
    'and is the one that is charged'
);
select pg_temp.answers(
    pg_temp.renewed('{"id": "pm_other"}'), '{"outcome": "ignored"}', 'a card that no wallet has is none of our business'
);
select pg_temp.raises('select pg_temp.renewed(''{"id": null}'')', 'WL010', 'id', 'a card has an id');

select * from finish();
rollback;
