drop table wallet.processed_stripe_webhooks cascade;
drop table wallet.topups cascade;
drop type wallet.stripe_payment cascade;
drop table wallet.stripe_settings cascade;
drop domain wallet.event_status, wallet.topup_status, wallet.topup_kind;
