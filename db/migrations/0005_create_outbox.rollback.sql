-- The role stays: other databases of the cluster may use it.
drop table wallet.workers cascade;
drop table wallet.outbox_messages cascade;
drop domain wallet.message_status, wallet.message_topic;
revoke usage on schema wallet from wallet_worker;
