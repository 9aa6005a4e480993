create or replace function wallet.find_freeze(p_org_id uuid, p_action text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select f.reason
    from wallet.wallet_freezes as f
    inner join wallet.freeze_rules as r on r.cause = f.cause
    where
        f.org_id = p_org_id
        and f.lifted_at is null
        and case p_action
            when 'recharges' then true
            when 'checkouts' then r.refuses_checkouts
            when 'spending' then r.refuses_spending
        end
    order by f.frozen_at, f.id
    limit 1
$$;

revoke all on function wallet.find_freeze(uuid, text) from public;

comment on function wallet.find_freeze(uuid, text) is
'Internal: the reason of the oldest open freeze that refuses recharges, checkouts or spending; null when none does.';
