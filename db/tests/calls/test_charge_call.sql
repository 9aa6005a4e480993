begin;
select plan(38);
\ir ../support.sql
\ir ../reservations/reservations.sql

-- What a provider tells of a call of two minutes, with these changes.
create function pg_temp.report(p_changes jsonb default '{}') returns wallet.call_report
language sql
as $$
    select jsonb_populate_record(
        null::wallet.call_report,
        jsonb_build_object(
            'vapi_call_id', 'vapi_1', 'ended', true, 'direction', 'outbound', 'assistant_id', 'assistant_1',
            'phone_number_id', 'number_1', 'ended_reason', 'customer-ended-call',
            'placed_at', now() - interval '5 minutes', 'started_at', now() - interval '4 minutes',
            'ended_at', now() - interval '2 minutes', 'duration_seconds', 120
        ) || p_changes
    )
$$;

create function pg_temp.charge(
    p_name text, p_call_id text, p_source text default 'webhook', p_changes jsonb default '{}',
    p_provider_cost_pence bigint default null
) returns jsonb
language sql
return wallet.charge_call(
    pg_temp.org(p_name), p_call_id, pg_temp.report(p_changes), p_source, p_provider_cost_pence
);

-- One call, told by the provider.
do $$ begin perform pg_temp.open_caller('acme', 5000); end $$;
create temporary table charged as select pg_temp.charge('acme', 'call_1', 'webhook', '{}', 150) as answer;
select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "call_id": "call_1", "duration_seconds": 120, "actual_cost_pence": 400,
        "charged_pence": 400, "owed_pence": 0, "reservation_id": null, "reserved_pence": 0, "released_pence": 0,
        "balance_before": 5000, "balance_after": 4600, "provider_cost_pence": 150, "gross_profit_pence": 250
    }',
    'a call is stored and charged in one'
)
from charged;
select pg_temp.answers(
    pg_temp.call('acme', 'call_1'),
    jsonb_build_object(
        'vapi_call_id', 'vapi_1', 'source', 'webhook', 'reconciled', false, 'direction', 'outbound',
        'assistant_id', 'assistant_1', 'phone_number_id', 'number_1', 'ended_reason', 'customer-ended-call',
        'duration_seconds', 120, 'cost_pence', 400, 'charged_pence', 400, 'owed_pence', 0, 'provider_cost_pence', 150,
        'transaction_id', answer -> 'transaction_id', 'cost_breakdown', answer -> 'cost_breakdown'
    ),
    'with all that the provider tells'
)
from charged;
select is(
    array[
        (pg_temp.call('acme', 'call_1') ->> 'placed_at')::timestamptz,
        (pg_temp.call('acme', 'call_1') ->> 'started_at')::timestamptz,
        (pg_temp.call('acme', 'call_1') ->> 'ended_at')::timestamptz
    ],
    array[now() - interval '5 minutes', now() - interval '4 minutes', now() - interval '2 minutes'],
    'its times among it'
);
select isnt(pg_temp.call('acme', 'call_1') ->> 'reported_at', null, 'and that the webhook told it');

-- Told again by whomever.
create temporary table before_replay as select pg_temp.money('acme') as money;
select pg_temp.answers(
    pg_temp.charge('acme', 'call_1', source, '{}', 150),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'transaction_id', answer -> 'transaction_id', 'actual_cost_pence', 400,
        'charged_pence', 400, 'balance_before', 5000, 'balance_after', 4600
    ),
    format('told again by %s it is a duplicate', source)
)
from charged, unnest(array['webhook', 'reconciliation', 'backend']) as source;
select is(pg_temp.money('acme'), money, 'that charges nothing') from before_replay;
select pg_temp.answers(
    pg_temp.call('acme', 'call_1'), '{"source": "webhook", "reconciled": false}', 'who told it first stays so'
);
select pg_temp.answers(
    pg_temp.charge('acme', 'call_1', 'webhook', '{"duration_seconds": 600}'),
    '{"success": true, "duplicate": true, "duration_seconds": 120, "actual_cost_pence": 400}',
    'another duration that is told later is no second charge'
);
select is(pg_temp.charges('acme', 'call_1'), 'call:call_1=400', 'there is one entry');

-- The first one to tell may know little; what is told later fills the gaps, and no more.
do $$
begin
    perform pg_temp.open_caller('gaps', 5000);
    perform pg_temp.bill('gaps', 'call_1', 120);
end $$;
select pg_temp.answers(
    pg_temp.call('gaps', 'call_1'),
    '{"vapi_call_id": null, "ended_reason": null, "reported_at": null, "provider_cost_pence": null}', 'a call with gaps'
);
do $$ begin perform pg_temp.charge('gaps', 'call_1', 'webhook', '{}', 150); end $$;
select pg_temp.answers(
    pg_temp.call('gaps', 'call_1'),
    '{
        "source": "backend", "vapi_call_id": "vapi_1", "ended_reason": "customer-ended-call", "direction": "outbound",
        "assistant_id": "assistant_1", "phone_number_id": "number_1", "provider_cost_pence": 150,
        "duration_seconds": 120, "charged_pence": 400
    }',
    'is filled by the webhook'
);
select isnt(pg_temp.call('gaps', 'call_1') ->> 'reported_at', null, 'which has told of it then');
do $$
begin
    perform pg_temp.charge(
        'gaps', 'call_1', 'webhook', '{"vapi_call_id": "vapi_2", "ended_reason": "other", "assistant_id": "other"}', 900
    );
end $$;
select pg_temp.answers(
    pg_temp.call('gaps', 'call_1'),
    '{
        "vapi_call_id": "vapi_1", "ended_reason": "customer-ended-call", "assistant_id": "assistant_1",
        "provider_cost_pence": 150
    }',
    'what is known is not overwritten'
);
do $$ begin perform pg_temp.charge('gaps', 'call_2', 'reconciliation', '{"vapi_call_id": "vapi_3"}'); end $$;
select pg_temp.answers(
    pg_temp.call('gaps', 'call_2'), '{"source": "reconciliation", "reconciled": true, "reported_at": null}',
    'a call that reconciliation found says so'
);
do $$ begin perform pg_temp.charge('gaps', 'call_2', 'webhook', '{"vapi_call_id": "vapi_3"}'); end $$;
select pg_temp.answers(
    pg_temp.call('gaps', 'call_2'), '{"source": "reconciliation", "reconciled": true}',
    'also when its webhook comes late after all'
);
select isnt(pg_temp.call('gaps', 'call_2') ->> 'reported_at', null, 'which is noted');

-- The price of when it began.
do $$
begin
    perform pg_temp.open_caller('raised', 5000);
    perform pg_temp.price_calls('raised', 400, 'gbp', now() - interval '1 hour');
end $$;
select pg_temp.answers(
    pg_temp.charge(
        'raised', 'before', 'webhook',
        jsonb_build_object('started_at', now() - interval '61 minutes', 'placed_at', now() - interval '62 minutes')
    ),
    '{"actual_cost_pence": 400}', 'a call that began before a price was raised has the old price'
);
select pg_temp.answers(
    pg_temp.charge('raised', 'after', 'webhook', '{"vapi_call_id": "vapi_2"}'), '{"actual_cost_pence": 800}',
    'one that began afterwards the new one'
);

-- A call that never began.
do $$ begin perform pg_temp.open_caller('silent', 0); end $$;
select pg_temp.answers(
    pg_temp.charge(
        'silent', 'call_1', 'webhook',
        '{"duration_seconds": 0, "started_at": null, "ended_reason": "customer-did-not-answer"}'
    ),
    '{"success": true, "duplicate": false, "actual_cost_pence": 0, "charged_pence": 0, "transaction_id": null}',
    'a call that nobody answered costs nothing'
);
select pg_temp.answers(
    pg_temp.call('silent', 'call_1'),
    '{"duration_seconds": 0, "cost_pence": 0, "started_at": null, "ended_reason": "customer-did-not-answer"}',
    'and is recorded'
);

-- With a reservation in every state.
do $$
begin
    perform pg_temp.open_caller('reserved', 5000, 0);
    perform pg_temp.reserve('reserved', call_id) from unnest(array['open', 'lapsed', 'expired', 'released']) as call_id;
    perform pg_temp.release('reserved', 'released');
    perform pg_temp.later('reserved', 'expired');
    perform wallet.cleanup_expired_reservations();
    perform pg_temp.later('reserved', 'lapsed');
end $$;
select pg_temp.answers(
    pg_temp.charge('reserved', call_id, 'webhook', jsonb_build_object('vapi_call_id', call_id)),
    '{"success": true, "duplicate": false, "charged_pence": 400, "owed_pence": 0}',
    format('a call with a reservation that is %s is charged', call_id)
)
from unnest(array['open', 'lapsed', 'expired', 'released']) as call_id;
select is(pg_temp.money('reserved'), '3400 0 0', 'once, and holds nothing any more');
select is(
    (
        select string_agg(call_id || ' ' || status, ', ' order by call_id)
        from wallet.credit_reservations
        where org_id = pg_temp.org('reserved')
    ),
    'expired committed, lapsed committed, open committed, released released',
    'its reservation is committed, unless it had been given up'
);
select pg_temp.answers(
    pg_temp.commit_call('reserved', 'open', 120), '{"success": true, "duplicate": true, "actual_cost_pence": 400}',
    'and a late commit is a duplicate'
);

-- Into the debt limit.
do $$ begin perform pg_temp.open_caller('owing', 0, 300); end $$;
select pg_temp.answers(
    pg_temp.charge('owing', 'call_1', 'webhook', '{}', 150),
    '{"success": true, "actual_cost_pence": 400, "charged_pence": 300, "owed_pence": 100, "balance_after": -300}',
    'a call is never refused for lack of money: it owes'
);
do $$ begin perform pg_temp.pay_in('owing', 'one', 1000); end $$;
select is(pg_temp.money('owing'), '600 0 0', 'and pays as soon as it can');
select pg_temp.answers(
    pg_temp.charge('owing', 'call_1'), '{"success": true, "duplicate": true, "actual_cost_pence": 400}',
    'told again it is a duplicate'
);

-- What can't be charged is refused and nothing is stored.
do $$ begin perform pg_temp.open_wallet('no rate', 1000, 0, 'chf'); end $$;
create temporary table before_refusal as select pg_temp.everything() as state;
select pg_temp.answers(
    pg_temp.charge('nobody', 'call_1'), '{"success": false, "error": "organization_not_found"}',
    'an organization that doesn''t exist is refused'
);
select pg_temp.answers(
    pg_temp.charge('no rate', 'call_1'), '{"success": false, "error": "exchange_rate_not_found"}',
    'a wallet for whose currency there is no rate'
);
select is(pg_temp.everything(), state, 'and nothing is stored') from before_refusal;

-- One Vapi id under two call ids of ours.
do $$
begin
    perform pg_temp.open_caller('twice', 5000);
    perform pg_temp.charge('twice', 'call_1');
end $$;
select is(
    pg_temp.sqlstate_of($$select pg_temp.charge('twice', 'call_2')$$), null,
    'a call of the provider that is told under two ids is no error'
);

select pg_temp.nothing_leaked();
select pg_temp.books_are_right();

select * from finish();
rollback;
