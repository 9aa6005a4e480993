drop view wallet.ledger_totals cascade;
drop table wallet.credit_transactions cascade;
drop domain wallet.entry_kind;
