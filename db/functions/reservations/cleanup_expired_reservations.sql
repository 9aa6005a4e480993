-- Whoever needs the money ends what has lapsed in his own wallet; this is for the wallets that nobody
-- is using. It waits for nobody, so that it may hold several locks.
create or replace function wallet.cleanup_expired_reservations(p_limit integer default 1000)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_ids uuid[];
    v_ended record;
begin
    perform wallet.require_value('p_limit', p_limit);
    if p_limit not between 1 and 10000 then
        perform wallet.raise_misuse('WL002', 'p_limit', 'must be from 1 to 10000', p_limit::text);
    end if;

    select array_agg(id) into v_org_ids
    from (
        select id
        from wallet.organizations
        where
            id in (
                select org_id
                from wallet.credit_reservations
                where status = 'open' and expires_at <= clock_timestamp()
                limit p_limit
            )
        for no key update skip locked
    ) as free;

    select * into v_ended from wallet.expire_reservations(v_org_ids);

    return jsonb_build_object(
        'success', true, 'expired', v_ended.expired, 'released_pence', v_ended.released_pence
    );
end;
$$;

revoke all on function wallet.cleanup_expired_reservations(integer) from public;
grant execute on function wallet.cleanup_expired_reservations(integer) to service_role, wallet_worker;

comment on function wallet.cleanup_expired_reservations(integer) is
'Ends the reservations whose time has passed, in the wallets of at most p_limit of them, 1 to 10,000; a wallet that is in use is left to the next run. Locks the organizations'' rows. Raises WL001, WL002.';
