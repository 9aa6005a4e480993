alter table wallet.organizations drop column frozen cascade;
drop table wallet.wallet_freezes, wallet.freeze_rules, wallet.stripe_disputes, wallet.stripe_refunds cascade;
drop domain wallet.freeze_cause, wallet.refund_status;
drop index wallet.topups_payment_intent_idx;
alter table wallet.topups
drop constraint topups_reversed_pence_check,
drop column bonus_pence,
drop column charged_pence,
drop column refunded_pence,
drop column reversed_pence,
drop column reversals;
alter type wallet.stripe_payment drop attribute charged_pence cascade;
drop index wallet.processed_stripe_webhooks_parked_idx;
alter table wallet.processed_stripe_webhooks
drop constraint processed_stripe_webhooks_resolved_check,
drop column resolved_by,
drop column resolution;
update wallet.processed_stripe_webhooks
set status = 'ignored'
where status = 'resolved';
alter domain wallet.event_status drop constraint event_status_check;
alter domain wallet.event_status add constraint event_status_check check (
    value in ('processed', 'ignored', 'pending', 'failed')
);
comment on column wallet.processed_stripe_webhooks.status is
'processed: applied, for good. ignored: none of our business. pending: noted, waits for another event. failed: not applied; redelivery or replay applies it.';
