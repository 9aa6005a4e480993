drop table wallet.stripe_backfills cascade;
