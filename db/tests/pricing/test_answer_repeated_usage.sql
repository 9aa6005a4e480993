begin;
select plan(7);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.charge_usage(pg_temp.org('acme'), 'knowledge_base_query', 10, 'query');
end $$;

create function pg_temp.answer(p_quantity bigint, p_change jsonb default '{}') returns jsonb
language sql
return (
    select wallet.answer_repeated_usage(jsonb_populate_record(e, p_change), s, p_quantity)
    from wallet.credit_transactions as e, wallet.services as s
    where e.org_id = pg_temp.org('acme') and e.idempotency_key = 'query' and s.service = 'knowledge_base_query'
);

select pg_temp.answers(
    pg_temp.answer(10),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'amount_pence', 8, 'balance_before', 1000, 'balance_after', 992,
        'cost_breakdown', wallet.quote_usage(pg_temp.org('acme'), 'knowledge_base_query', 10) -> 'breakdown'
    ),
    'the same service and quantity is answered with the entry'
);
select pg_temp.answers(
    pg_temp.answer(10, '{"type": "license"}'), '{"success": true, "duplicate": true}',
    'also when the service has been booked as something else since'
);
select pg_temp.answers(
    pg_temp.answer(quantity, change::jsonb), '{"success": false, "error": "idempotency_conflict"}',
    why || ' is a conflict'
)
from (
    values
    (9, '{}', 'another quantity'),
    (10, '{"direction": "credit"}', 'a credit'),
    (10, '{"cost_breakdown": {"service": "archive", "quantity": 10, "amount_pence": 8}}', 'another service'),
    (10, '{"amount_pence": 7}', 'an amount that is not what its breakdown says'),
    (10, '{"cost_breakdown": null}', 'an entry without a breakdown')
) as other (quantity, change, why);

select * from finish();
rollback;
