begin;
select plan(29);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(
        pg_temp.org('acme'), 'call_1', 'vapi_1', 100, 300, 400, '{"llm": 60, "stt": 40}', 'a call'
    );
end $$;

create temporary table hashed as
select
    e,
    to_jsonb(e) as entry,
    p.entry_hash as previous_hash
from wallet.credit_transactions as e
inner join wallet.credit_transactions as p on p.org_id = e.org_id and p.entry_number = 1
where e.org_id = pg_temp.org('acme') and e.entry_number = 2;

select is(wallet.hash_entry(previous_hash, e), (e).entry_hash, 'the entry''s hash is over it and the previous hash')
from hashed;
select is(
    wallet.hash_entry(decode(repeat('00', 32), 'hex'), e), e.entry_hash, 'the first entry builds on 32 zero bytes'
)
from wallet.credit_transactions as e
where org_id = pg_temp.org('acme') and entry_number = 1;
select isnt(
    wallet.hash_entry(decode(repeat('00', 32), 'hex'), e), (e).entry_hash, 'another previous hash gives another hash'
)
from hashed;

-- A column that is added later and forgotten here shows up as a test that fails.
select isnt(
    wallet.hash_entry(
        previous_hash,
        jsonb_populate_record(
            e,
            jsonb_build_object(
                column_name,
                case
                    when column_name = 'type' then '"sms_deduction"'::jsonb
                    when data_type in ('bigint', 'integer') then '987654321'
                    when data_type = 'uuid' then '"00000000-0000-0000-0000-000000000001"'
                    when data_type = 'timestamp with time zone' then to_jsonb((e).created_at + interval '1 microsecond')
                    when data_type = 'jsonb' then '{"llm": 61, "stt": 40}'
                    else '"forged"'
                end
            )
        )
    ),
    (e).entry_hash,
    'another ' || column_name || ' gives another hash'
)
from hashed, information_schema.columns
where table_schema = 'wallet' and table_name = 'credit_transactions' and column_name <> 'entry_hash'
order by ordinal_position;

select isnt(
    wallet.hash_entry(previous_hash, jsonb_populate_record(e, '{"description": null}')), (e).entry_hash,
    'so does a value taken away'
)
from hashed;
select isnt(
    wallet.hash_entry(
        previous_hash, jsonb_populate_record(e, '{"description": "a", "vapi_call_id": "b"}')
    ),
    wallet.hash_entry(
        previous_hash, jsonb_populate_record(e, '{"description": "b", "vapi_call_id": "a"}')
    ),
    'two values that change places give another hash'
)
from hashed;
select isnt(
    wallet.hash_entry(previous_hash, jsonb_populate_record(e, '{"description": "null"}')),
    wallet.hash_entry(previous_hash, jsonb_populate_record(e, '{"description": null}')),
    'the word null is not the absence of a value'
)
from hashed;

-- Whoever verifies may have other settings than whoever wrote.
set local timezone = 'Asia/Kathmandu';
set local datestyle = 'German';
set local intervalstyle = 'iso_8601';
set local bytea_output = 'escape';
set local extra_float_digits = -15;
select is(wallet.hash_entry(previous_hash, e), (e).entry_hash, 'no setting of the session changes a hash') from hashed;
select is(octet_length(wallet.hash_entry(previous_hash, e)), 32, 'a hash has 32 bytes') from hashed;

select * from finish();
rollback;
