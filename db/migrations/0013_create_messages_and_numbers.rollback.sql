drop table wallet.agents, wallet.phone_numbers, wallet.org_credentials, wallet.sms_callbacks, wallet.sms_messages
cascade;
drop domain wallet.number_status, wallet.sms_status;
