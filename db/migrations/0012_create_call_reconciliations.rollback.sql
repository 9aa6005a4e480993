drop view wallet.billing_success_rate, wallet.vapi_webhook_reliability cascade;
drop table wallet.provider_calls, wallet.call_reconciliations cascade;
drop domain wallet.reconciliation_status;
