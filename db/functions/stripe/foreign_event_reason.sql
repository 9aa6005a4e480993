-- An event of the wrong mode or account never credits. A test event in a live wallet and one of a
-- connected account that is not ours are none of our business; a live one in a test wallet is money
-- that went to the wrong place, so it fails for a person to see.
create or replace function wallet.foreign_event_reason(p_event jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_settings wallet.stripe_settings;
    v_live constant boolean := (p_event -> 'livemode')::boolean;
begin
    select * into strict v_settings from wallet.stripe_settings;

    if p_event ->> 'account' is distinct from v_settings.account then
        return 'the event belongs to another Stripe account';
    elsif v_live and not v_settings.livemode then
        perform wallet.fail_event(
            'livemode_mismatch',
            'This is a live event and the wallet is set to test mode; configure_stripe(true, …) changes that.'
        );
    elsif not v_live and v_settings.livemode then
        return 'this is a test event and the wallet is set to live mode';
    end if;
    return null;
end;
$$;

revoke all on function wallet.foreign_event_reason(jsonb) from public;

comment on function wallet.foreign_event_reason(jsonb) is
'Internal: why a Stripe event is not for this wallet database, null when it is. Raises WL011: livemode_mismatch.';
