-- Those who notify commit one after the other: so no charge does, and no payment but one that was
-- started here, which a customer may be waiting for.
create or replace function wallet.notify_topup()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('pgwallet_topups', new.org_id::text);
    return null;
end;
$$;

revoke all on function wallet.notify_topup() from public;

comment on function wallet.notify_topup() is
'Trigger of topups: tells those who listen on pgwallet_topups which organization has a top-up that was started here and changed its state, once that is committed.';

set local search_path = pg_catalog, pg_temp;

do $$
begin
    if not exists (
        select from pg_catalog.pg_trigger where tgrelid = 'wallet.topups'::regclass and tgname = 'notify_topup'
    ) then
        create trigger notify_topup after update of status, stripe_payment_intent_id on wallet.topups
        for each row
        when (new.stripe_request is not null)
        execute function wallet.notify_topup();
    end if;
end;
$$;
