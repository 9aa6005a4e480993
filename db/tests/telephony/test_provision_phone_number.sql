begin;
select plan(48);
\ir ../support.sql
\ir numbers.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform pg_temp.open_wallet('other', 1000);
end $$;

create temporary table provision as
select wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1') as answer;
select pg_temp.answers(
    answer - 'phone_number_id',
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'number', '+442079460000',
        'status', 'provisioning', 'provider', 'twilio', 'provider_number_id', null, 'credential_id', null,
        'price_pence', 395, 'amount_pence', 395, 'refunded_pence', 0, 'balance_before', 1000, 'balance_after', 605
    ),
    'a number of 500 US cents costs 395 p and is being bought'
)
from provision;
select pg_temp.answers(
    answer -> 'cost_breakdown',
    '{"service": "phone_provisioning", "quantity": 1, "unit_price": 500, "exchange_rate": 0.79, "amount_pence": 395}',
    'the answer explains why'
)
from provision;
select pg_temp.answers(
    to_jsonb(e),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'phone_provisioning', 'direction', 'debit', 'amount_pence', 395,
        'idempotency_key', 'k1', 'description', 'Phone number +442079460000',
        'cost_breakdown', answer -> 'cost_breakdown'
    ),
    'it is one entry under the caller''s key'
)
from provision, wallet.credit_transactions as e
where e.idempotency_key = 'k1';
select pg_temp.answers(
    to_jsonb(n),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'id', answer -> 'phone_number_id', 'number', '+442079460000',
        'idempotency_key', 'k1', 'status', 'provisioning', 'provider', 'twilio', 'price_pence', 395,
        'cost_breakdown', answer -> 'cost_breakdown', 'transaction_id', answer -> 'transaction_id'
    ),
    'and one number'
)
from provision, wallet.phone_numbers as n;

-- Replays.
create temporary table before_replay as select pg_temp.everything() as state;
select is(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1', 'twilio', 'again'),
    answer || '{"duplicate": true}', 'the same request again is answered with the original'
)
from provision;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460001', 'k1'),
    '{
        "success": false, "error": "idempotency_conflict", "idempotency_key": "k1",
        "original_number": "+442079460000", "original_amount_pence": 395, "attempted_number": "+442079460001"
    }',
    'the key with another number is a conflict'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1', 'vonage'),
    '{"error": "idempotency_conflict", "original_provider": "twilio", "attempted_provider": "vonage"}',
    'or another provider'
);

-- A number is in use once.
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k2'),
    '{"success": false, "error": "number_in_use", "number": "+442079460000", "is_own": true}',
    'the number under another key is refused'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('other'), '+442079460000', 'k1'),
    '{"success": false, "error": "number_in_use", "is_own": false}',
    'and for another organization'
);
select ok(
    not (wallet.provision_phone_number(pg_temp.org('other'), '+442079460000', 'k1') ? 'org_id'),
    'which is not told whose it is'
);
select is(pg_temp.everything(), state, 'replays, conflicts and refusals write nothing') from before_replay;

do $$ begin perform pg_temp.set_own_price('acme', 250); end $$;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1'),
    '{"success": true, "duplicate": true, "price_pence": 395, "amount_pence": 395}',
    'a replay after the price has changed is answered with the original price'
);
do $$ begin perform wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k1', 'PN1'); end $$;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1'),
    '{"success": true, "duplicate": true, "status": "active", "provider_number_id": "PN1"}',
    'and tells how far the number has come'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('other'), '+442079460000', 'k1'), '{"error": "number_in_use"}',
    'an active number is in use'
);
do $$
begin
    perform wallet.release_phone_number(pg_temp.org('acme'), (answer ->> 'phone_number_id')::uuid, 'test')
    from provision;
end $$;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('other'), '+442079460000', 'k1'),
    '{"success": true, "duplicate": false, "balance_after": 605}',
    'a released one can be bought, by another organization under a key of its own'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1'),
    '{"success": true, "duplicate": true, "status": "released"}',
    'the first request is still answered with what became of it'
);
do $$ begin perform wallet.fail_phone_provisioning(pg_temp.org('other'), 'k1', 'taken'); end $$;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k3'),
    '{"success": true, "duplicate": false, "price_pence": 250}',
    'one that could not be bought is free as well'
);
select is(pg_temp.number_rows('+442079460000'), 'failed, provisioning, released', 'its history is kept');

-- A key that paid for something else.
do $$
begin
    perform wallet.check_balance_and_deduct_asset_cost(
        pg_temp.org('other'), 395, 'phone_provisioning', 'x', 'elsewhere'
    );
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('other'), 100, 'did', 'x', 'a did');
end $$;
create temporary table before_keys as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('other'), '+442079460002', 'elsewhere'),
    '{"success": false, "error": "idempotency_conflict", "original_amount_pence": 395}',
    'money that paid for something else buys no number, be it the same amount'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('other'), '+442079460002', 'a did'),
    '{"success": false, "error": "idempotency_conflict", "original_type": "did"}', 'or another one'
);
select is(pg_temp.everything(), state, 'and nothing is written') from before_keys;

-- Zero debt.
do $$ begin perform pg_temp.open_wallet('poor', 394); end $$;
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('poor'), '+442079460003', 'k1'),
    '{"success": false, "error": "insufficient_balance", "balance_pence": 394, "required_pence": 395,
      "shortfall_pence": 1}',
    'a number that costs a penny more than the balance is refused, whatever the debt limit'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('nobody'), '+442079460003', 'k1'),
    '{"success": false, "error": "organization_not_found"}', 'an unknown organization is refused'
);
select is(pg_temp.everything(), state, 'what is refused writes nothing') from before_refusals;
do $$
begin
    perform wallet.add_wallet_credits(pg_temp.org('poor'), 1, 'bonus', p_idempotency_key => 'a penny');
end $$;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('poor'), '+442079460003', 'k1', p_description => 'Our number'),
    '{"success": true, "duplicate": false, "balance_after": 0}',
    'the balance can be spent to the last penny, under the key that was refused'
);
select is(description, 'Our number', 'with the caller''s description')
from wallet.credit_transactions
where org_id = pg_temp.org('poor') and idempotency_key = 'k1';
do $$
begin
    perform wallet.configure_freeze('operator', true, true, 'test');
    perform wallet.freeze_wallet(pg_temp.open_wallet('frozen', 1000), 'Under review', 'test');
end $$;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('frozen'), '+442079460004', 'k1'),
    '{"success": false, "error": "wallet_frozen"}', 'a frozen wallet buys nothing'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.open_wallet('zurich', 1000, 0, 'chf'), '+442079460004', 'k1'),
    '{"success": false, "error": "exchange_rate_not_found"}', 'without a rate of exchange there is no charge'
);
select is(pg_temp.number_rows('+442079460004'), null, 'and no number');

-- Free of charge.
do $$ begin perform pg_temp.set_own_price('poor', 0); end $$;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('poor'), '+442079460005', 'free'),
    '{"success": true, "duplicate": false, "amount_pence": 0, "price_pence": 0, "transaction_id": null,
      "status": "provisioning"}',
    'a number can be free'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('poor'), '+442079460005', 'free'),
    '{"success": true, "duplicate": true, "amount_pence": 0, "transaction_id": null}', 'and is recorded once'
);

-- Boundaries and misuse.
do $$ begin perform pg_temp.open_wallet('rich', 100000); end $$;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('rich'), n, n), '{"success": true}', n || ' is a number'
)
from unnest(array['+1234567', '+123456789012345']) as n;
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('rich'), '+1555000001', repeat('k', 255)), '{"success": true}',
    'a key may have 255 characters'
);
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.provision_phone_number(pg_temp.org(''rich''), %L, ''k'')', n), 'WL006', 'number',
    n || ' is none'
)
from
    unnest(
        array['442079460000', '+0442079460', '+123456', '+1234567890123456', '+44 20 79460000', E'+442079460000\n']
    ) as n;
select pg_temp.raises(
    $$select wallet.provision_phone_number(null, '+442079460009', 'k')$$, 'WL001', 'org_id',
    'an organization is required'
);
select pg_temp.raises(
    $$select wallet.provision_phone_number(pg_temp.org('rich'), null, 'k')$$, 'WL001', 'number', 'a number is required'
);
select pg_temp.raises(
    $$select wallet.provision_phone_number(pg_temp.org('rich'), '+442079460009', null)$$, 'WL001', 'idempotency_key',
    'a key is required'
);
select pg_temp.raises(
    $$select wallet.provision_phone_number(pg_temp.org('rich'), '+442079460009', ' ')$$, 'WL005', 'idempotency_key',
    'a blank key is misuse'
);
select pg_temp.raises(
    $$select wallet.provision_phone_number(pg_temp.org('rich'), '+442079460009', 'k', null)$$, 'WL001', 'provider',
    'a provider is required'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select is(
    pg_temp.outcomes(
        $q$select wallet.provision_phone_number(pg_temp.org('rich'), '+442079460009', 'by role') ->> 'success'$q$
    ),
    '42501 42501 true 42501 42501', 'it is for backends'
);
select pg_temp.books_are_right();

select * from finish();
rollback;
