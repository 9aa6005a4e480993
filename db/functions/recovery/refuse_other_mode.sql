create or replace function wallet.refuse_other_mode(p_livemode boolean)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'livemode_mismatch',
        case
            when p_livemode then
                'The API key is a live one and the wallet takes test events: '
                'set STRIPE_SECRET_KEY to a test key, or go live with wallet.configure_stripe(true, …).'
            else
                'The API key is a test one and the wallet takes live events: '
                'set STRIPE_SECRET_KEY to the live key, or go back with wallet.configure_stripe(false, …).'
        end,
        jsonb_build_object('livemode', p_livemode)
    )
$$;

revoke all on function wallet.refuse_other_mode(boolean) from public;

comment on function wallet.refuse_other_mode(boolean) is
'Internal: the refusal livemode_mismatch, for a key of the mode that the wallet is not in.';
