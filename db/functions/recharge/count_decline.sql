-- advice_code is the card network's own word: docs.stripe.com/declines/codes. The decline codes are those
-- of the same page after which a card must not be tried again.
create or replace function wallet.count_decline(p_attempt wallet.recharge_attempts, p_advice_code text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hard constant boolean := coalesce(p_advice_code = 'do_not_try_again', false)
    or coalesce(
        p_attempt.decline_code in (
            'expired_card', 'fraudulent', 'invalid_account', 'lost_card', 'merchant_blacklist',
            'new_account_information_available', 'no_action_taken', 'not_permitted', 'pickup_card',
            'restricted_card', 'revocation_of_all_authorizations', 'revocation_of_authorization',
            'security_violation', 'stolen_card', 'stop_payment_order', 'transaction_not_allowed'
        ), false
    );
begin
    update wallet.recharge_settings
    set
        declines = declines + 1,
        blocked_payment_method_id = case
            when v_hard or declines + 1 >= max_declines then p_attempt.stripe_payment_method_id
        end,
        blocked_because = case
            when v_hard then 'the card must not be tried again'
            when declines + 1 >= max_declines then format('the card was declined %s times in a row', declines + 1)
        end,
        updated_at = clock_timestamp()
    where
        org_id = p_attempt.org_id
        and blocked_payment_method_id is distinct from p_attempt.stripe_payment_method_id
        and p_attempt.stripe_payment_method_id = (
            select stripe_default_pm_id from wallet.organizations where id = p_attempt.org_id
        );

    perform wallet.announce_recharge_stop(org_id, blocked_because)
    from wallet.recharge_settings
    where org_id = p_attempt.org_id and blocked_payment_method_id = p_attempt.stripe_payment_method_id;
end;
$$;

revoke all on function wallet.count_decline(wallet.recharge_attempts, text) from public;

comment on function wallet.count_decline(wallet.recharge_attempts, text) is
'Internal: counts a declined attempt; after max_declines in a row, or at once when the bank says so for good, the card is not tried again. One of a card that is not charged any more says nothing of its successor. The caller holds the organization''s lock.';
