drop table wallet.payment_methods cascade;
drop index wallet.organizations_stripe_customer_idx;
drop index wallet.topups_open_idx;
delete from wallet.topups
where coalesce(stripe_checkout_session_id, stripe_payment_intent_id) is null;
alter table wallet.topups
drop constraint topups_stripe_id_check,
drop constraint topups_request_key_key,
drop column price_pence,
drop column plan,
drop column request_key,
drop column stripe_request,
drop column checkout_url,
drop column expires_at,
add constraint topups_stripe_id_check check (
    stripe_checkout_session_id is not null or stripe_payment_intent_id is not null
);
drop domain wallet.checkout_url;
drop table wallet.topup_plans, wallet.topup_limits cascade;
