begin;
select plan(25);
\ir ../support.sql
\ir sms.sql

create function pg_temp.apply(p_message_id text, p_status text, p_error_code text default null) returns jsonb
language sql
as $$
    select wallet.apply_sms_status(pg_temp.org('acme'), p_message_id, p_status, p_error_code)
$$;

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.charge_sms(pg_temp.org('acme'), m, 2)
    from unnest(array['fails', 'undelivered', 'canceled', 'arrives', 'conflict', 'by hand']) as m;
end $$;
select is(pg_temp.balance(pg_temp.org('acme')), 952::bigint, 'six messages of 8 p');

-- On the way.
select pg_temp.answers(
    pg_temp.apply('fails', 'queued'),
    '{"success": true, "outcome": "processed", "duplicate": false, "message_id": "fails", "status": "queued",
      "refunded_pence": 0}',
    'a status is recorded'
);
select pg_temp.answers(
    pg_temp.apply('fails', 'queued'), '{"outcome": "duplicate", "duplicate": true, "status": "queued"}',
    'once'
);
select pg_temp.answers(
    pg_temp.apply('fails', 'accepted'), '{"success": true, "outcome": "ignored", "status": "queued"}',
    'an older one changes nothing'
);
select is(pg_temp.sms('acme', 'fails'), '- queued', 'what is stored is the latest');
select is(pg_temp.entries(pg_temp.org('acme')), 7::bigint, 'and money is not moved');

-- The end.
create temporary table refusal as select pg_temp.apply('fails', 'failed', '30003') as answer;
select pg_temp.answers(
    answer,
    '{"success": true, "outcome": "processed", "duplicate": false, "status": "failed", "error_code": "30003",
      "amount_pence": 8, "refunded_pence": 8, "balance_before": 952, "balance_after": 960}',
    'a message that failed gives its charge back'
)
from refusal;
select pg_temp.answers(
    to_jsonb(e),
    jsonb_build_object(
        'id', r.answer -> 'refund_transaction_id', 'type', 'refund', 'direction', 'credit', 'amount_pence', 8,
        'idempotency_key', 'refund:sms:fails', 'description', 'SMS fails ended failed', 'created_by', 'twilio'
    ),
    'as an entry under the message''s key'
)
from wallet.credit_transactions as e, refusal as r
where e.type = 'refund';
select is(m.refund_transaction_id, e.id, 'which the message names')
from wallet.credit_transactions as e, wallet.sms_messages as m
where e.type = 'refund' and m.message_id = 'fails';

create temporary table before_again as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.apply('fails', 'failed', '30003'),
    '{"success": true, "outcome": "duplicate", "duplicate": true, "refunded_pence": 8}',
    'its failure told again is a duplicate'
);
select is(
    (
        select string_agg(pg_temp.apply('fails', s) ->> 'outcome', ' ' order by s)
        from unnest(wallet.sms_statuses()) as s
        where s <> 'failed'
    ),
    'ignored ignored ignored ignored ignored ignored ignored ignored ignored',
    'any other status after it is ignored, a second end too'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_again;

select pg_temp.answers(
    pg_temp.apply('undelivered', 'undelivered'), '{"outcome": "processed", "balance_after": 968}',
    'an undelivered one gives its charge back, without an error too'
);
select pg_temp.answers(
    pg_temp.apply('canceled', 'canceled'), '{"outcome": "processed", "balance_after": 976}', 'so does a canceled one'
);

do $$
begin
    perform pg_temp.apply('arrives', 'sent', '30009');
    perform pg_temp.apply('arrives', 'delivered');
end $$;
select is(pg_temp.sms('acme', 'arrives'), '- delivered', 'a delivered one keeps it');
select pg_temp.answers(
    pg_temp.apply('arrives', 'undelivered'), '{"outcome": "ignored", "status": "delivered", "error_code": "30009"}',
    'whatever is told afterwards'
);
select pg_temp.answers(
    pg_temp.apply('arrives', 'read'), '{"outcome": "processed", "status": "read", "refunded_pence": 0}',
    'it can be read'
);
select is(pg_temp.balance(pg_temp.org('acme')), 976::bigint, 'and its charge stays');

-- A message that cost nothing has nothing to give back.
do $$
begin
    perform pg_temp.set_own_price('acme', 'sms', 'segment', 0);
    perform wallet.charge_sms(pg_temp.org('acme'), 'free');
end $$;
select pg_temp.answers(
    pg_temp.apply('free', 'failed'),
    '{"success": true, "outcome": "processed", "status": "failed", "refunded_pence": 0}',
    'a free message that failed gives nothing back'
);
select is(pg_temp.sms('acme', 'free'), '- failed', 'and is recorded as failed');

-- Keys that are taken.
do $$
begin
    perform wallet.add_wallet_credits(
        pg_temp.org('acme'), 8, 'refund', p_idempotency_key => 'refund:sms:by hand'
    );
    perform wallet.add_wallet_credits(
        pg_temp.org('acme'), 7, 'refund', p_idempotency_key => 'refund:sms:conflict'
    );
end $$;
select pg_temp.answers(
    pg_temp.apply('by hand', 'failed'),
    '{"success": true, "outcome": "processed", "duplicate": false, "refunded_pence": 8}',
    'what was given back by hand under its key'
);
select is(pg_temp.balance(pg_temp.org('acme')), 991::bigint, 'is not given back twice');
select pg_temp.answers(
    pg_temp.apply('conflict', 'failed'),
    '{"success": false, "outcome": "failed", "error": "idempotency_conflict", "status": "failed",
      "refunded_pence": 0, "refund_transaction_id": null}',
    'where the key stands for other money the give-back is refused'
);
select is(pg_temp.sms('acme', 'conflict'), '- failed', 'and the status recorded');
select pg_temp.books_are_right();

select * from finish();
rollback;
