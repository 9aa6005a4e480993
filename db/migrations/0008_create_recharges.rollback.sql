drop table wallet.recharge_attempts, wallet.recharge_settings cascade;
drop domain wallet.recharge_state;
