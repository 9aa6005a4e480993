begin;
select plan(25);
\ir ../support.sql
\ir numbers.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1');
end $$;

create temporary table failure as
select wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k1', 'Twilio 21422: not available') as answer;
select pg_temp.answers(
    answer,
    '{
        "success": true, "duplicate": false, "number": "+442079460000", "status": "failed",
        "reason": "Twilio 21422: not available", "amount_pence": 395, "price_pence": 395, "refunded_pence": 395,
        "balance_before": 605, "balance_after": 1000
    }',
    'a number that could not be bought gives its charge back'
)
from failure;
select pg_temp.answers(
    to_jsonb(e),
    jsonb_build_object(
        'id', answer -> 'transaction_id', 'type', 'refund', 'direction', 'credit', 'amount_pence', 395,
        'idempotency_key', 'refund:phone:k1',
        'description', 'Phone number +442079460000: Twilio 21422: not available'
    ),
    'as an entry under the number''s key'
)
from failure, wallet.credit_transactions as e
where e.type = 'refund';
select pg_temp.answers(
    to_jsonb(n),
    jsonb_build_object(
        'status', 'failed', 'failure', 'Twilio 21422: not available',
        'refund_transaction_id', answer -> 'transaction_id'
    ),
    'which the number names'
)
from failure, wallet.phone_numbers as n;

create temporary table before_replay as select pg_temp.everything() as state;
select is(
    wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k1', 'another reason'), answer || '{"duplicate": true}',
    'once, and with its first reason'
)
from failure;
select pg_temp.answers(
    wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k2', 'x'),
    '{"success": false, "error": "phone_number_not_found", "phone_number": "k2"}', 'an unknown key is refused'
);
select pg_temp.answers(
    wallet.fail_phone_provisioning(pg_temp.org('nobody'), 'k1', 'x'),
    '{"success": false, "error": "organization_not_found"}', 'so is an unknown organization'
);
select is(pg_temp.everything(), state, 'replays and refusals write nothing') from before_replay;

select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k1'),
    '{"success": true, "duplicate": true, "status": "failed", "refunded_pence": 395}',
    'its request again buys nothing and says so'
);
select pg_temp.answers(
    wallet.provision_phone_number(pg_temp.org('acme'), '+442079460000', 'k2'),
    '{"success": true, "duplicate": false, "balance_after": 605}', 'another one can have it'
);
do $$ begin perform wallet.complete_phone_provisioning(pg_temp.org('acme'), 'k2', 'PN1'); end $$;
select pg_temp.answers(
    wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k2', 'x'),
    '{"success": false, "error": "number_not_provisioning", "status": "active"}',
    'a number that was bought has not failed'
);
do $$
begin
    perform wallet.release_phone_number(pg_temp.org('acme'), id, 'test')
    from wallet.phone_numbers
    where idempotency_key = 'k2';
end $$;
select pg_temp.answers(
    wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k2', 'x'),
    '{"success": false, "error": "number_not_provisioning", "status": "released"}', 'not even when it is released'
);
select is(pg_temp.balance(pg_temp.org('acme')), 605::bigint, 'and gives nothing back');

-- What the spending of a wallet is refused for is no matter here.
do $$
begin
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460003', 'k3');
    perform wallet.configure_freeze('operator', true, true, 'test');
    perform wallet.freeze_wallet(pg_temp.org('acme'), 'Under review', 'test');
end $$;
select pg_temp.answers(
    wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k3', 'x'), '{"success": true, "balance_after": 605}',
    'a frozen wallet gets its money back'
);

-- Without money, and with a key that is taken.
do $$
begin
    perform pg_temp.open_wallet('other', 1000);
    perform wallet.provision_phone_number(pg_temp.org('other'), '+442079460001', 'taken');
    perform wallet.add_wallet_credits(pg_temp.org('other'), 1, 'refund', p_idempotency_key => 'refund:phone:taken');
    perform pg_temp.set_own_price('other', 0);
    perform wallet.provision_phone_number(pg_temp.org('other'), '+442079460002', 'free');
end $$;
select pg_temp.answers(
    wallet.fail_phone_provisioning(pg_temp.org('other'), 'free', 'x'),
    '{"success": true, "duplicate": false, "status": "failed", "amount_pence": 0, "refunded_pence": 0,
      "transaction_id": null}',
    'a free number gives nothing back'
);
select pg_temp.answers(
    wallet.fail_phone_provisioning(pg_temp.org('other'), 'free', 'x'), '{"success": true, "duplicate": true}', 'once'
);
create temporary table before_taken as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.fail_phone_provisioning(pg_temp.org('other'), 'taken', 'x'),
    '{"success": false, "error": "idempotency_conflict", "original_amount_pence": 1, "attempted_amount_pence": 395}',
    'where the give-back''s key stands for other money it is refused'
);
select is(pg_temp.everything(), state, 'and the number stays as it is') from before_taken;

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    $$select wallet.fail_phone_provisioning(null, 'k1', 'x')$$, 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    $$select wallet.fail_phone_provisioning(pg_temp.org('acme'), null, 'x')$$, 'WL001', 'idempotency_key',
    'a key is required'
);
select pg_temp.raises(
    $$select wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k1', null)$$, 'WL001', 'reason',
    'a reason is required'
);
select pg_temp.raises(
    $$select wallet.fail_phone_provisioning(pg_temp.org('acme'), 'k1', ' ')$$, 'WL005', 'reason',
    'a blank one is misuse'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
do $$ begin perform wallet.provision_phone_number(pg_temp.org('other'), '+442079460009', repeat('k', 255)); end $$;
select is(
    pg_temp.outcomes(
        $q$select wallet.fail_phone_provisioning(pg_temp.org('other'), repeat('k', 255), 'x') ->> 'status'$q$
    ),
    '42501 42501 failed 42501 42501', 'it is for backends'
);
select is(pg_temp.stale_references(), 0::bigint, 'nothing refers to a number that failed');
select pg_temp.books_are_right();

select * from finish();
rollback;
