begin;
select plan(17);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform pg_temp.open_wallet('globex', 1000);
    perform pg_temp.open_wallet('initech', 1000);
    perform wallet.open_freeze(pg_temp.org('acme'), 'dispute', 'Dispute du_1', 'stripe', 'du_1');
    perform wallet.freeze_wallet(pg_temp.org('globex'), 'Under review', 'ann');
    perform wallet.open_freeze(pg_temp.org('initech'), 'dispute', 'Dispute du_2', 'stripe', 'du_2');
    perform wallet.unfreeze_wallet(pg_temp.org('initech'), 'Won', 'ann');
end $$;

create function pg_temp.may_spend(p_name text) returns boolean
language sql
return (
    wallet.deduct_call_credits(pg_temp.org(p_name), gen_random_uuid()::text, 'v', 1, 1, 1) ->> 'success'
)::boolean;

select results_eq(
    'select cause::text, refuses_checkouts, refuses_spending, updated_by from wallet.freeze_rules order by cause::text',
    $$
        values
        ('dispute', true, false, 'migration'),
        ('early_fraud_warning', false, false, 'migration'),
        ('operator', true, false, 'migration')
    $$,
    'until somebody says otherwise, disputes and operators stop checkouts, and nothing stops spending'
);
select ok(pg_temp.may_spend(name), format('%s may spend', name)) from unnest(array['acme', 'globex']) as name;

select pg_temp.answers(
    wallet.configure_freeze('dispute', false, true, 'ann'),
    '{"success": true, "cause": "dispute", "refuses_checkouts": false, "refuses_spending": true}',
    'what a dispute stops is a setting'
);
select pg_temp.answers(
    to_jsonb(r), '{"refuses_checkouts": false, "refuses_spending": true, "updated_by": "ann"}',
    'kept with who changed it'
)
from wallet.freeze_rules as r
where cause = 'dispute';
select is(
    pg_temp.may_spend(name), may_spend, format('%s %s', name, case when may_spend then 'may spend' else 'may not' end)
)
from (values ('acme', false), ('globex', true), ('initech', true)) as wallet (name, may_spend);
select pg_temp.answers(
    wallet.begin_topup(pg_temp.org('acme'), 5000, p_return_url => 'https://acme.example'), '{"success": true}',
    'and a wallet with a dispute may start a checkout now'
);
do $$ begin perform wallet.configure_freeze('dispute', true, false, 'ann'); end $$;
select ok(pg_temp.may_spend('acme'), 'taken back, it may spend again');
do $$
begin
    perform wallet.configure_freeze('early_fraud_warning', true, true, 'ann');
    perform wallet.open_freeze(pg_temp.org('acme'), 'early_fraud_warning', 'Warning', 'stripe', 'issfr_1');
end $$;
select ok(not pg_temp.may_spend('acme'), 'a freeze that comes later obeys the rule too');

select pg_temp.raises(
    format('select wallet.configure_freeze(%s)', arguments), sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, true, true, ''ann''', 'WL001', 'cause'),
    ('''mood'', true, true, ''ann''', 'WL006', 'cause'),
    ('''dispute'', null, true, ''ann''', 'WL001', 'refuses_checkouts'),
    ('''dispute'', true, null, ''ann''', 'WL001', 'refuses_spending'),
    ('''dispute'', true, true, null', 'WL001', 'actor'),
    ('''dispute'', true, true, '' ''', 'WL005', 'actor')
) as misuse (arguments, sqlstate, field);

select * from finish();
rollback;
