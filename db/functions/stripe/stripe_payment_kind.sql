create or replace function wallet.stripe_payment_kind(p_object jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_object #>> '{metadata,type}' in ('wallet_topup', 'wallet_auto_recharge') then
        return p_object #>> '{metadata,type}';
    end if;
    return null;
end;
$$;

revoke all on function wallet.stripe_payment_kind(jsonb) from public;

comment on function wallet.stripe_payment_kind(jsonb) is
'Internal: what metadata.type of a Stripe object says of a wallet payment, wallet_topup or wallet_auto_recharge; null when it is none.';
