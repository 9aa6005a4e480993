begin;
select plan(9);
\ir ../support.sql

select lives_ok($$select wallet.check_entry_type('topup', 'credit')$$, 'a top-up may be a credit');
select lives_ok($$select wallet.check_entry_type('adjustment', 'debit')$$, 'an adjustment may be a debit');
select pg_temp.raises(
    $$select wallet.check_entry_type(null, 'credit')$$, 'WL001', 'type', 'a type is required'
);
select pg_temp.raises(
    $$select wallet.check_entry_type('gift', 'credit')$$, 'WL003', 'type', 'an unknown type is misuse'
);
select pg_temp.raises($$select wallet.check_entry_type('', 'credit')$$, 'WL003', 'type', 'so is an empty one');
select pg_temp.raises(
    $$select wallet.check_entry_type('topup', null)$$, 'WL001', 'direction', 'a direction is required'
);
select pg_temp.raises(
    $$select wallet.check_entry_type('topup', 'up')$$, 'WL006', 'direction', 'an unknown direction is misuse'
);
select pg_temp.raises(
    $$select wallet.check_entry_type('topup', 'debit')$$, 'WL004', 'type', 'a top-up can''t be a debit'
);
select pg_temp.raises(
    $$select wallet.check_entry_type('did', 'credit')$$, 'WL004', 'type', 'a number bought can''t be a credit'
);

select * from finish();
rollback;
