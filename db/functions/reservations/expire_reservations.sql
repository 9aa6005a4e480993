create or replace function wallet.expire_reservations(
    p_org_ids uuid[],
    out expired bigint,
    out released_pence bigint
)
returns record
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_lapsed record;
begin
    expired := 0;
    released_pence := 0;

    for v_lapsed in
        with lapsed as (
            update wallet.credit_reservations
            set status = 'expired', closed_at = clock_timestamp(), updated_at = clock_timestamp()
            where org_id = any(p_org_ids) and status = 'open' and expires_at <= clock_timestamp()
            returning org_id, reserved_pence
        )

        select
            org_id,
            count(*) as reservations,
            sum(reserved_pence)::bigint as pence
        from lapsed
        group by org_id
    loop
        perform wallet.hold_credits(v_lapsed.org_id, -v_lapsed.pence);
        expired := expired + v_lapsed.reservations;
        released_pence := released_pence + v_lapsed.pence;
    end loop;
end;
$$;

revoke all on function wallet.expire_reservations(uuid[]) from public;

comment on function wallet.expire_reservations(uuid[]) is
'Internal: ends the reservations of these organizations whose time has passed; answers how many, and what they held in minor units. The caller holds the organizations'' locks.';
