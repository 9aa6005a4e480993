begin;
select plan(24);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 10000);
    for v_call in 1 .. 5 loop
        perform wallet.deduct_call_credits(
            pg_temp.org('acme'), 'call_' || v_call, 'v', 10, 100, 20, '{"llm": 10}', 'Call ' || v_call
        );
    end loop;
    perform pg_temp.open_wallet('globex', 500);
end $$;

select is_empty('select * from wallet.verify_ledger()', 'an honest ledger verifies');

-- Does something to the ledger with its triggers off, tells what verify_ledger finds, and undoes it.
create function pg_temp.findings(p_forgery text) returns text[]
language plpgsql
as $$
declare
    v_findings text[];
begin
    begin
        alter table wallet.credit_transactions disable trigger all;
        execute p_forgery;
        select array_agg(coalesce(entry_number::text, 'end') || ' ' || problem order by entry_number, problem)
        into v_findings
        from wallet.verify_ledger(pg_temp.org('acme'));
        raise exception 'undone' using errcode = 'T0001';
    exception when sqlstate 'T0001' then
        null;
    end;
    return v_findings;
end;
$$;

create function pg_temp.forge(p_assignment text) returns text[]
language sql
as $$
    select pg_temp.findings(format(
        'update wallet.credit_transactions set %s where org_id = pg_temp.org(''acme'') and entry_number = 3',
        p_assignment
    ))
$$;

-- Entry 3 of 6 is forged: its own hash no longer fits.
select is(
    pg_temp.forge(assignment), array['3 entry_hash'], format('an entry forged by "set %s" is found', assignment)
)
from
    unnest(
        array[
            'description = ''another''',
            'description = null',
            'cost_breakdown = ''{"llm": 11}''',
            'created_at = created_at + interval ''1 microsecond''',
            'markup_percent = 101',
            'provider_cost_pence = 11, gross_profit_pence = 9',
            'idempotency_key = ''call:other''',
            'call_id = ''other''',
            'vapi_call_id = ''other''',
            'created_by = ''other''',
            'stripe_payment_intent_id = ''pi_1''',
            'stripe_charge_id = ''ch_1''',
            'id = ''00000000-0000-0000-0000-000000000001''',
            'type = ''sms_deduction'''
        ]
    ) as assignment;
select is(
    pg_temp.forge('amount_pence = 15, client_charged_pence = 15, gross_profit_pence = 5, balance_after_pence = 9965'),
    array['3 entry_hash', '4 balance_before'],
    'an amount that was lowered, its balance with it, breaks the hash and the next balance'
);
select is(
    pg_temp.forge('entry_hash = decode(repeat(''ab'', 32), ''hex'')'),
    array['3 entry_hash', '4 entry_hash'],
    'a hash that was replaced fits neither its entry nor the next one'
);

-- A forger who computes the entry's new hash is found at the next entry.
select is(
    pg_temp.findings($$
        update wallet.credit_transactions as e
        set
            description = 'another',
            entry_hash = wallet.hash_entry(
                p.entry_hash, jsonb_populate_record(e, '{"description": "another"}')
            )
        from wallet.credit_transactions as p
        where e.org_id = pg_temp.org('acme') and e.entry_number = 3 and p.org_id = e.org_id and p.entry_number = 2
    $$),
    array['4 entry_hash'],
    'an entry forged with a fitting hash doesn''t fit the next entry'
);
select is(
    pg_temp.findings($$
        update wallet.credit_transactions as e
        set
            description = 'another',
            entry_hash = wallet.hash_entry(
                p.entry_hash, jsonb_populate_record(e, '{"description": "another"}')
            )
        from wallet.credit_transactions as p
        where e.org_id = pg_temp.org('acme') and e.entry_number = 6 and p.org_id = e.org_id and p.entry_number = 5
    $$),
    array['end last_entry_hash'],
    'the last entry forged with a fitting hash doesn''t fit the organization''s row'
);

select is(
    pg_temp.findings($$
        delete from wallet.credit_transactions where org_id = pg_temp.org('acme') and entry_number = 3
    $$),
    array['4 balance_before', '4 entry_hash', '4 entry_number'],
    'a deleted entry leaves a gap'
);
select is(
    pg_temp.findings($$
        delete from wallet.credit_transactions where org_id = pg_temp.org('acme') and entry_number = 6
    $$),
    array['end last_entry_at', 'end last_entry_hash', 'end last_entry_number', 'end wallet_balance'],
    'the last entry deleted leaves an end that the organization''s row contradicts'
);
select is(
    pg_temp.findings($$
        delete from wallet.credit_transactions where org_id = pg_temp.org('acme')
    $$),
    array['end last_entry_at', 'end last_entry_hash', 'end last_entry_number', 'end wallet_balance'],
    'so does the whole ledger deleted'
);
select ok(
    pg_temp.findings($$
        update wallet.credit_transactions set entry_number = 100
        where org_id = pg_temp.org('acme') and entry_number = 3;
        update wallet.credit_transactions set entry_number = 3
        where org_id = pg_temp.org('acme') and entry_number = 4;
        update wallet.credit_transactions set entry_number = 4
        where org_id = pg_temp.org('acme') and entry_number = 100;
    $$) @> array['3 balance_before', '3 entry_hash', '4 balance_before', '4 entry_hash'],
    'two entries that changed places are found'
);

select is_empty('select * from wallet.verify_ledger()', 'with every forgery undone the ledger verifies');

select * from finish();
rollback;
