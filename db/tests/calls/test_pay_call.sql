begin;
select plan(10);
\ir ../support.sql
\ir ../reservations/reservations.sql

create function pg_temp.pay(p_name text, p_call_id text, p_cost bigint, p_held bigint default 0) returns jsonb
language sql
return wallet.pay_call(
    pg_temp.org(p_name), p_call_id, 'vapi',
    jsonb_build_object('amount_pence', p_cost, 'breakdown', '{"why": "so"}'::jsonb), p_held, null, null
);

do $$ begin perform pg_temp.open_caller('acme', 1000, 500); end $$;
select pg_temp.answers(
    pg_temp.pay('acme', 'call_1', 600), '{"charged_pence": 600, "owed_pence": 0}', 'what is there is charged'
);
select pg_temp.answers(
    to_jsonb(e),
    '{"amount_pence": 600, "call_id": "call_1", "vapi_call_id": "vapi", "cost_breakdown": {"why": "so"}}',
    'with an entry that explains it'
)
from wallet.credit_transactions as e
where org_id = pg_temp.org('acme') and idempotency_key = 'call:call_1';
select pg_temp.answers(
    pg_temp.pay('acme', 'call_2', 1000), '{"charged_pence": 900, "owed_pence": 100}', 'the rest is owed'
);
select is(pg_temp.money('acme'), '-500 0 100', 'by the wallet');
select pg_temp.answers(
    pg_temp.pay('acme', 'call_3', 50), '{"charged_pence": 0, "owed_pence": 50, "transaction_id": null}', 'or all of it'
);
select pg_temp.answers(
    pg_temp.pay('acme', 'call_4', 0), '{"charged_pence": 0, "owed_pence": 0, "transaction_id": null}',
    'nothing is charged for nothing'
);

-- What was held for the call is its own; beyond that come what others hold, and what is owed already.
do $$
begin
    perform pg_temp.open_caller('shared', 1000, 500);
    update wallet.organizations set reserved_pence = 300, owed_pence = 900 where id = pg_temp.org('shared');
end $$;
select pg_temp.answers(
    pg_temp.pay('shared', 'call_1', 1000, 400), '{"charged_pence": 400, "owed_pence": 600}',
    'a call is charged from what was held for it, though others owe'
);
select is(pg_temp.money('shared'), '600 300 1500', 'and no further');
select pg_temp.answers(
    pg_temp.pay('shared', 'call_2', 1000, 5000), '{"charged_pence": 800, "owed_pence": 200}',
    'what others hold stays theirs, whatever was held'
);

-- Frozen for spending.
do $$
begin
    perform pg_temp.open_caller('frozen', 1000, 500);
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.freeze_wallet(pg_temp.org('frozen'), 'Under review', 'ann');
end $$;
select pg_temp.answers(
    pg_temp.pay('frozen', 'call_1', 100), '{"charged_pence": 0, "owed_pence": 100}', 'a frozen wallet owes'
);

select * from finish();
rollback;
