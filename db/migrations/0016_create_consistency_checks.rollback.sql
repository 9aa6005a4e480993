drop index wallet.wallet_freezes_open_idx;
drop index wallet.recharge_attempts_ended_idx;
drop index wallet.processed_stripe_webhooks_received_at_idx;
drop table wallet.consistency_checks cascade;
delete from wallet.outbox_messages
where topic = 'books_out_of_order';
alter domain wallet.message_topic drop constraint message_topic_check;
alter domain wallet.message_topic add constraint message_topic_check check (
    value in (
        'low_balance', 'topup_completed', 'payment_failed', 'payment_reversed', 'event_failed', 'wallet_frozen',
        'recharge_failed', 'recharge_needs_action', 'recharge_unresolved', 'auto_recharge_disabled', 'reliability_low',
        'call_unbilled'
    )
);
