begin;
select plan(11);
\ir ../support.sql

-- What each forgery looks like is in ledger/test_invariants_hash_chain.sql.
do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 300, 400);
    perform pg_temp.open_wallet('globex', 700);
    perform wallet.deduct_call_credits(pg_temp.org('globex'), 'call_1', 'v', 100, 300, 400);
    perform pg_temp.open_wallet('empty');
end $$;

select is_empty('select * from wallet.verify_ledger()', 'honest ledgers have no finding');
select is_empty('select * from wallet.verify_ledger(pg_temp.org(''acme''))', 'nor has one of them');
select is_empty('select * from wallet.verify_ledger(pg_temp.org(''empty''))', 'nor an empty one');
select is_empty('select * from wallet.verify_ledger(pg_temp.org(''nobody''))', 'nor one that isn''t there');

update wallet.organizations set wallet_balance_pence = 601 where id = pg_temp.org('acme');
select pg_temp.answers(
    to_jsonb(finding),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'entry_number', null, 'problem', 'wallet_balance', 'expected', '600',
        'actual', '601'
    ),
    'a balance that isn''t the end of its chain is found'
)
from wallet.verify_ledger() as finding;
update wallet.organizations set wallet_balance_pence = 600 where id = pg_temp.org('acme');

alter table wallet.credit_transactions disable trigger refuse_row_change;
update wallet.credit_transactions set description = 'forged' where entry_number = 1;
alter table wallet.credit_transactions enable always trigger refuse_row_change;

select bag_eq(
    'select org_id, entry_number, problem from wallet.verify_ledger()',
    $$values (pg_temp.org('acme'), 1::bigint, 'entry_hash'), (pg_temp.org('globex'), 1, 'entry_hash')$$,
    'every forged ledger is found, and where'
);
select results_eq(
    'select org_id, entry_number, problem from wallet.verify_ledger(pg_temp.org(''globex''))',
    $$values (pg_temp.org('globex'), 1::bigint, 'entry_hash')$$,
    'one ledger can be verified alone'
);
select isnt(expected, actual, 'a finding shows what was expected and what is there')
from wallet.verify_ledger(pg_temp.org('acme'));

alter table wallet.credit_transactions disable trigger refuse_row_change;
update wallet.credit_transactions set description = null where entry_number = 1;
alter table wallet.credit_transactions enable always trigger refuse_row_change;
select is_empty('select * from wallet.verify_ledger()', 'the forgery undone, the ledgers verify');

set local timezone = 'Asia/Kathmandu';
set local datestyle = 'SQL, DMY';
select is_empty('select * from wallet.verify_ledger()', 'also for a session with other settings');

alter table wallet.credit_transactions disable trigger refuse_row_change;
update wallet.credit_transactions set created_at = created_at - interval '1 day'
where org_id = pg_temp.org('acme') and entry_number = 2;
alter table wallet.credit_transactions enable always trigger refuse_row_change;
select set_eq(
    'select problem from wallet.verify_ledger(pg_temp.org(''acme'')) where entry_number = 2',
    array['created_at', 'entry_hash'],
    'an entry older than the one before it is found'
);

select * from finish();
rollback;
