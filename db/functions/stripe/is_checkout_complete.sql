-- Whatever Stripe tells of a session, its page is closed then: save_topup takes the address away.
create or replace function wallet.is_checkout_complete(p_topup wallet.topups)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select p_topup.stripe_checkout_session_id is not null and p_topup.checkout_url is null
$$;

revoke all on function wallet.is_checkout_complete(wallet.topups) from public;

comment on function wallet.is_checkout_complete(wallet.topups) is
'Internal: whether Stripe has told that the customer is through with the checkout of a top-up, or that it is closed.';
