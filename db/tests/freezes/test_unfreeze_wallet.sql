begin;
select plan(18);
\ir ../support.sql
\ir ../stripe/events.sql

do $$
begin
    perform pg_temp.pay('acme');
    perform wallet.configure_freeze('operator', true, true, 'test');
    perform wallet.freeze_wallet(pg_temp.org('acme'), 'Under review', 'ann');
    perform pg_temp.tell('charge.dispute.created', pg_temp.dispute('acme'));
end $$;

select pg_temp.answers(
    wallet.unfreeze_wallet(pg_temp.org('acme'), 'Known customer', 'bob'),
    '{"success": true, "duplicate": false, "lifted": 2}',
    'every freeze of a wallet is lifted at once'
);
select results_eq(
    $$select cause::text, lifted_by::text, lifted_because::text, lifted_at is not null from wallet.wallet_freezes
    order by cause::text$$,
    $$values ('dispute', 'bob', 'Known customer', true), ('operator', 'bob', 'Known customer', true)$$,
    'with who did it and why'
);
select pg_temp.answers(
    wallet.unfreeze_wallet(pg_temp.org('acme'), 'Again', 'bob'), '{"success": true, "duplicate": true, "lifted": 0}',
    'a wallet that isn''t frozen is left so'
);
select is(
    (select count(*) from wallet.wallet_freezes where lifted_because = 'Again'), 0::bigint,
    'and the first reason stays'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call', 'v', 10, 100, 20), '{"success": true}',
    'it may spend again'
);
select pg_temp.answers(
    wallet.begin_topup(pg_temp.org('acme'), 5000, p_return_url => 'https://acme.example'),
    '{"success": true, "next": "create_session"}',
    'and pay in'
);
select is(wallet.find_freeze(pg_temp.org('acme'), 'recharges'), null, 'and recharge');

do $$ begin perform pg_temp.tell('charge.dispute.closed', pg_temp.dispute('acme', '{"status": "lost"}')); end $$;
select is(
    wallet.find_freeze(pg_temp.org('acme'), 'recharges'), null, 'the dispute that was known doesn''t freeze it anew'
);
do $$ begin perform pg_temp.tell('charge.dispute.created', pg_temp.dispute('acme', '{"id": "du_2"}')); end $$;
select is(
    wallet.find_freeze(pg_temp.org('acme'), 'recharges'), 'Dispute du_2 (fraudulent)', 'a new one does'
);
select pg_temp.answers(
    wallet.freeze_wallet(pg_temp.org('acme'), 'Once more', 'ann'), '{"success": true, "duplicate": false}',
    'an operator may freeze it anew'
);
select is(
    (select frozen from wallet.organizations where id = pg_temp.org('acme')), true, 'with all that it refuses'
);

select pg_temp.answers(
    wallet.unfreeze_wallet(pg_temp.org('nobody'), 'x', 'ann'), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises(
    format('select wallet.unfreeze_wallet(%s)', arguments), sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null, ''x'', ''ann''', 'WL001', 'org_id'),
    ('pg_temp.org(''acme''), null, ''ann''', 'WL001', 'reason'),
    ('pg_temp.org(''acme''), '' '', ''ann''', 'WL005', 'reason'),
    ('pg_temp.org(''acme''), ''x'', null', 'WL001', 'actor'),
    ('pg_temp.org(''acme''), ''x'', ''''', 'WL005', 'actor')
) as misuse (arguments, sqlstate, field);
select pg_temp.books_are_right();

select * from finish();
rollback;
