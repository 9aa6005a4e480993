begin;
select plan(8);
\ir ../support.sql
\ir events.sql

create function pg_temp.charged_card() returns text
language sql stable
return (select stripe_default_pm_id from wallet.organizations where id = pg_temp.org('acme'));

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_1');
end $$;

select pg_temp.answers(
    pg_temp.tell('payment_method.attached', pg_temp.card()),
    jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', pg_temp.org('acme')),
    'a card of a customer of ours is saved'
);
select pg_temp.answers(
    to_jsonb(m), '{"id": "pm_1", "brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2031}',
    'with what may be shown of it'
)
from wallet.payment_methods as m
where org_id = pg_temp.org('acme');
select is(pg_temp.charged_card(), 'pm_1', 'and charged, where there was none');
do $$ begin perform pg_temp.tell('payment_method.attached', pg_temp.card('{"id": "pm_2"}')); end $$;
select is(pg_temp.charged_card(), 'pm_1', 'a second card is saved beside it');

do $$
begin
    insert into wallet.recharge_settings (org_id, blocked_payment_method_id, blocked_because)
    values (pg_temp.org('acme'), 'pm_1', 'it was declined');
    perform pg_temp.tell('payment_method.attached', pg_temp.card('{"id": "pm_3", "type": "link", "card": null}'));
end $$;
select is(pg_temp.charged_card(), 'pm_3', 'a new one takes the place of one that is not tried any more');

select pg_temp.answers(
    pg_temp.tell('payment_method.attached', pg_temp.card(changes)), '{"outcome": "ignored"}',
    format('a card of nobody we know is none of our business: %s', changes)
)
from unnest(array['{"customer": "cus_2"}', '{"customer": null}']::jsonb[]) as changes;
select pg_temp.raises(
    'select pg_temp.tell(''payment_method.attached'', pg_temp.card(''{"id": null}''))', 'WL010', 'id',
    'a card has an id'
);

select * from finish();
rollback;
