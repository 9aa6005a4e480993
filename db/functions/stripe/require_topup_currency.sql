create or replace function wallet.require_topup_currency(p_topup wallet.topups, p_currency text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if lower(p_currency) <> p_topup.currency then
        perform wallet.fail_event(
            'currency_mismatch', format('This is in %s, its top-up in %s.', p_currency, p_topup.currency)
        );
    end if;
end;
$$;

revoke all on function wallet.require_topup_currency(wallet.topups, text) from public;

comment on function wallet.require_topup_currency(wallet.topups, text) is
'Internal: a refund, charge or dispute has to be in its top-up''s currency. Raises WL011: currency_mismatch.';
