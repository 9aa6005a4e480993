create or replace function wallet.check_recharge_amount()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'check_violation',
        schema = 'wallet',
        table = 'organizations',
        constraint = tg_name,
        message = format(
            'the recharge threshold (%s) must be below the recharge amount (%s)',
            new.wallet_low_balance_pence,
            new.wallet_recharge_amount_pence
        );
end;
$$;

revoke all on function wallet.check_recharge_amount() from public;

comment on function wallet.check_recharge_amount() is
'Constraint trigger of organizations: with automatic recharge on, the threshold has to be below the amount, or one recharge would not end the shortage and each would ask for the next. Raises 23514. A check constraint would be evaluated for every charge; this one only when one of the three columns is set.';

set local search_path = pg_catalog, pg_temp;

-- Created once: creating it again would lock the table against live traffic on every deployment.
do $$
begin
    if not exists (
        select from pg_catalog.pg_trigger
        where tgrelid = 'wallet.organizations'::regclass and tgname = 'organizations_recharge_amount_check'
    ) then
        create constraint trigger organizations_recharge_amount_check
        after insert or update of wallet_auto_recharge, wallet_low_balance_pence, wallet_recharge_amount_pence
        on wallet.organizations
        for each row
        when (new.wallet_auto_recharge and new.wallet_low_balance_pence >= new.wallet_recharge_amount_pence)
        execute function wallet.check_recharge_amount();
    end if;
end;
$$;
