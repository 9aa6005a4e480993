alter table wallet.credit_transactions alter column org_id reset (n_distinct);
