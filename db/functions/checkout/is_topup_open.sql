-- A card that was declined leaves the page open for another. Before there is a page, Stripe is asked
-- again under the same key, but not for long: were its answer an error, it would keep it for a day.
create or replace function wallet.is_topup_open(p_topup wallet.topups)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select
        p_topup.status in ('pending', 'failed')
        and case
            when p_topup.checkout_url is not null then p_topup.expires_at > clock_timestamp()
            when p_topup.stripe_checkout_session_id is null
                then p_topup.stripe_payment_intent_id is null
                and p_topup.stripe_request is not null
                and p_topup.created_at > clock_timestamp() - interval '10 minutes'
            else false
        end
$$;

revoke all on function wallet.is_topup_open(wallet.topups) from public;

comment on function wallet.is_topup_open(wallet.topups) is
'Internal: whether a customer can still pay this top-up, on its page or once it has one.';
