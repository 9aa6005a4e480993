begin;
select plan(20);
\ir ../support.sql
\ir reports.sql

select pg_temp.answers(
    wallet.replay_unbilled_calls(), '{"success": true, "billed": 0, "failed": 0}', 'nothing waits'
);
do $$
begin
    perform wallet.record_call(pg_temp.report(name, 30, pg_temp.metadata('acme')))
    from unnest(array['one', 'two', 'three']) as name;
    perform wallet.record_call(pg_temp.report('stranger', 30));
end $$;
select pg_temp.answers(
    wallet.replay_unbilled_calls(), '{"success": true, "billed": 0, "failed": 4}', 'the reason has not gone away'
);
select is((select sum(attempts) from wallet.unbilled_calls), 8::bigint, 'which is counted');
select is(pg_temp.told('call_unbilled'), 4::bigint, 'and not told again');

do $$ begin perform pg_temp.open_wallet('acme', 1000); end $$;
-- Those that have waited longest are tried first.
update wallet.unbilled_calls set updated_at = now() - interval '1 hour' where vapi_call_id = pg_temp.vapi('two');
select pg_temp.answers(
    wallet.replay_unbilled_calls(1), '{"success": true, "billed": 1, "failed": 0}', 'as many as are asked for'
);
select pg_temp.answers(
    pg_temp.recorded('two'), '{"source": "webhook", "reconciled": false, "charged_pence": 28}',
    'as the webhook has told'
);
select is(pg_temp.balance(pg_temp.org('acme')), 972::bigint, 'and charged');

-- Meanwhile billed by somebody else.
do $$ begin perform wallet.bill_call(pg_temp.org('acme'), 'call-3', 30, pg_temp.vapi('three')); end $$;
select pg_temp.answers(
    wallet.replay_unbilled_calls(), '{"success": true, "billed": 1, "failed": 1}', 'the others follow'
);
select is(pg_temp.balance(pg_temp.org('acme')), 916::bigint, 'each charged once');
select is(
    (select array_agg(vapi_call_id::text) from wallet.unbilled_calls where billed_at is null),
    array[pg_temp.vapi('stranger')],
    'only the one of nobody we know still waits'
);
select pg_temp.answers(
    wallet.replay_unbilled_calls(), '{"success": true, "billed": 0, "failed": 1}', 'the others are not tried again'
);

-- No rate for its currency was known when the call began.
do $$
begin
    perform pg_temp.open_wallet('paris', 1000, p_currency => 'eur');
    perform wallet.record_call(pg_temp.report('four', 30, pg_temp.metadata('paris')));
end $$;
select is(
    (select error_code::text from wallet.unbilled_calls where vapi_call_id = pg_temp.vapi('four')),
    'exchange_rate_not_found', 'a call without a rate waits'
);
select pg_temp.answers(
    wallet.set_exchange_rate('usd', 'eur', 0.9, 'ann', '2026-01-01 00:00+00'),
    '{"success": true, "duplicate": false, "effective_from": "2026-01-01T00:00:00+00:00"}',
    'the first rate may be dated back to when it began'
);
select pg_temp.answers(wallet.replay_unbilled_calls(), '{"billed": 1, "failed": 1}', 'which lets it be billed');
select is(pg_temp.balance(pg_temp.org('paris')), 968::bigint, '35 cents at 0.9 are 32');

select pg_temp.raises('select wallet.replay_unbilled_calls(null)', 'WL001', 'p_limit', 'a limit is required');
select pg_temp.raises(
    format('select wallet.replay_unbilled_calls(%s)', n), 'WL002', 'p_limit', format('%s is none', n)
)
from unnest(array[0, -1]) as n;
select is(
    pg_temp.callers('wallet.replay_unbilled_calls(integer)'), array['service_role', 'wallet_worker'],
    'a worker may call it, and a backend'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
