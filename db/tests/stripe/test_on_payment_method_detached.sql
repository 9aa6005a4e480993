begin;
select plan(16);
\ir ../support.sql
\ir events.sql

-- A wallet that recharges itself, with one attempt that no worker has claimed yet.
do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.attach_stripe_customer(pg_temp.org('acme'), 'cus_1');
    perform pg_temp.tell('payment_method.attached', pg_temp.card('{"id": "pm_2"}'));
    perform pg_temp.tell('payment_method.attached', pg_temp.card());
    perform wallet.set_default_payment_method(pg_temp.org('acme'), 'pm_1', 'ann');
    perform wallet.set_auto_recharge(pg_temp.org('acme'), true, 'ann', 500, 5000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call', 'v', 100, 900, 900);
end $$;

create function pg_temp.charged_card() returns text
language sql stable
return (select stripe_default_pm_id from wallet.organizations where id = pg_temp.org('acme'));

select is(
    (select state::text from wallet.recharge_attempts where org_id = pg_temp.org('acme')), 'requested',
    'a recharge was asked for'
);
select pg_temp.answers(
    pg_temp.tell('payment_method.detached', pg_temp.card('{"id": "pm_2", "customer": null}')),
    '{"outcome": "processed"}',
    'a card that isn''t the one that is charged is removed'
);
select is(pg_temp.charged_card(), 'pm_1', 'and the other one stays');
select is(pg_temp.messages('acme', 'auto_recharge_disabled'), 0::bigint, 'which is worth no message');
select pg_temp.answers(
    pg_temp.tell('payment_method.detached', pg_temp.card('{"customer": null}')),
    jsonb_build_object('success', true, 'outcome', 'processed', 'org_id', pg_temp.org('acme')),
    'the one that is charged is removed, known by its id alone'
);
select is(pg_temp.charged_card(), null, 'so there is no card to charge');
select set_eq(
    $$select id from wallet.payment_methods where org_id = pg_temp.org('acme') and detached_at is not null$$,
    array['pm_1', 'pm_2'],
    'both are kept as removed'
);
select is(
    (select state || ', ' || last_error from wallet.recharge_attempts where org_id = pg_temp.org('acme')),
    'canceled, The card was removed.',
    'the attempt that nobody has claimed is taken back'
);
select is(pg_temp.messages('acme', 'auto_recharge_disabled'), 1::bigint, 'the outbox tells that recharges stop');
select is(wallet.get_auto_recharge(pg_temp.org('acme')) ->> 'obstacle', 'no_payment_method', 'and why is shown');

create temporary table first_time as
select detached_at from wallet.payment_methods where org_id = pg_temp.org('acme') and id = 'pm_1';
do $$ begin perform pg_temp.tell('payment_method.detached', pg_temp.card('{"customer": null}')); end $$;
select is(m.detached_at, f.detached_at, 'told again, its time stays')
from first_time as f, wallet.payment_methods as m
where m.org_id = pg_temp.org('acme') and m.id = 'pm_1';
select is(pg_temp.messages('acme', 'auto_recharge_disabled'), 1::bigint, 'and there is no second message');
do $$
begin
    perform pg_temp.tell('payment_method.attached', pg_temp.card());
    perform pg_temp.tell('payment_method.automatically_updated', pg_temp.card());
end $$;
select is(pg_temp.charged_card(), null, 'older news doesn''t bring it back');
do $$ begin perform pg_temp.tell('payment_method.attached', pg_temp.card('{"id": "pm_3"}')); end $$;
select is(pg_temp.charged_card(), 'pm_3', 'a new card takes the place');

select pg_temp.answers(
    pg_temp.tell('payment_method.detached', pg_temp.card('{"id": "pm_other"}')), '{"outcome": "ignored"}',
    'a card that no wallet has is none of our business'
);
select pg_temp.raises(
    'select pg_temp.tell(''payment_method.detached'', pg_temp.card(''{"id": null}''))', 'WL010', 'id',
    'a card has an id'
);

select * from finish();
rollback;
