begin;
select plan(20);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

create function pg_temp.use(p_name text, p_card text) returns jsonb
language sql
return wallet.set_default_payment_method(pg_temp.org(p_name), p_card, 'ann');

do $$
begin
    perform pg_temp.rechargeable('acme');
    perform wallet.keep_payment_method(pg_temp.org('acme'), 'pm_new');
    perform pg_temp.rechargeable('globex');
end $$;

select is(
    pg_temp.use('acme', 'pm_new'),
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'payment_method_id', 'pm_new'
    ),
    'another saved card is charged from now on'
);
select is(
    (select stripe_default_pm_id from wallet.organizations where id = pg_temp.org('acme')), 'pm_new', 'it is kept'
);
select pg_temp.answers(pg_temp.use('acme', 'pm_new'), '{"success": true, "duplicate": true}', 'once is enough');
select is(
    array(
        select format('%s to %s by %s', old_value, new_value, actor) from wallet.organization_changes
        where org_id = pg_temp.org('acme') and setting = 'stripe_default_pm_id'
    ),
    array['pm_acme to pm_new by ann'],
    'it is recorded once, with who did it'
);

-- Only a card of its own that can still be charged.
do $$
begin
    perform pg_temp.tell('payment_method.detached', pg_temp.card('{"id": "pm_acme", "customer": null}'));
end $$;
select pg_temp.answers(
    pg_temp.use('acme', card),
    jsonb_build_object('success', false, 'error', 'payment_method_not_found', 'payment_method_id', card),
    format('%s is not a saved card of this wallet', card)
)
from unnest(array['pm_acme', 'pm_globex', 'pm_unknown']) as card;
select is(
    (select stripe_default_pm_id from wallet.organizations where id = pg_temp.org('acme')), 'pm_new',
    'what was refused changes nothing'
);

-- It ends a block, and recharges at once what was waiting for it.
do $$
begin
    perform pg_temp.rechargeable('stolen', 0);
    perform pg_temp.claim('stolen');
    perform pg_temp.report('stolen', pg_temp.decline('stolen', 'stolen_card'));
    perform pg_temp.later('stolen', '16 minutes');
    insert into wallet.payment_methods (org_id, id) values (pg_temp.org('stolen'), 'pm_new');
end $$;
select is(pg_temp.obstacle('stolen'), 'payment_method_blocked', 'a card that is blocked');
select pg_temp.answers(pg_temp.use('stolen', 'pm_stolen'), '{"success": true, "duplicate": true}', 'chosen again');
select is(pg_temp.obstacle('stolen'), 'payment_method_blocked', 'stays blocked');
do $$ begin perform pg_temp.use('stolen', 'pm_new'); end $$;
select is(pg_temp.attempts('stolen'), 'declined requested', 'another one is charged at once');
select is((pg_temp.attempt('stolen')).stripe_payment_method_id, 'pm_new', 'and no other');
select is(
    (select format('%s %s', declines,
    blocked_because) from wallet.recharge_settings where org_id = pg_temp.org('stolen')),
    '0 ', 'without the former one''s declines'
);

select pg_temp.answers(
    pg_temp.use('nobody', 'pm_1'), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises(
    format('select wallet.set_default_payment_method(%L, %L, %L)', org_id, card, actor), sqlstate, field,
    format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, 'pm_new', 'ann', 'WL001', 'p_org_id'),
    (pg_temp.org('acme'), null, 'ann', 'WL001', 'p_payment_method_id'),
    (pg_temp.org('acme'), ' ', 'ann', 'WL005', 'p_payment_method_id'),
    (pg_temp.org('acme'), 'pm_new', null, 'WL001', 'p_actor'),
    (pg_temp.org('acme'), 'pm_new', '', 'WL005', 'p_actor')
) as misuse (org_id, card, actor, sqlstate, field);

select * from finish();
rollback;
