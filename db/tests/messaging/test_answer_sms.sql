begin;
select plan(2);
\ir ../support.sql
\ir sms.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.charge_sms(pg_temp.org('acme'), 'm', 2, 'SM1');
end $$;

select is(
    wallet.answer_sms(m),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'message_id', 'm', 'twilio_sid', 'SM1', 'segments', 2, 'price_pence', 8,
        'cost_breakdown', m.cost_breakdown, 'status', null, 'error_code', null, 'refunded_pence', 0,
        'refund_transaction_id', null
    ),
    'a message that was charged'
)
from wallet.sms_messages as m;

do $$ begin perform pg_temp.tell('SM1', 'failed', '{"ErrorCode": "30003"}'); end $$;
select pg_temp.answers(
    wallet.answer_sms(m),
    jsonb_build_object(
        'price_pence', 8, 'status', 'failed', 'error_code', '30003', 'refunded_pence', 8,
        'refund_transaction_id', e.id
    ),
    'and one whose charge was given back'
)
from wallet.sms_messages as m, wallet.credit_transactions as e
where e.type = 'refund';

select * from finish();
rollback;
