-- What the tests of reservations and call charges share. Included with \ir after support.sql.

-- A wallet whose calls cost 200 of its own currency a minute, so that five minutes are 1000.
create function pg_temp.open_caller(
    p_name text, p_balance_pence bigint default 5000, p_debt_limit_pence bigint default 500,
    p_currency text default 'gbp'
) returns uuid
language plpgsql
as $$
begin
    perform pg_temp.open_wallet(p_name, p_balance_pence, p_debt_limit_pence, p_currency);
    perform pg_temp.price_calls(p_name, 200, p_currency);
    return pg_temp.org(p_name);
end;
$$;

-- Calls of a wallet cost so much a minute, from then on.
create function pg_temp.price_calls(
    p_name text, p_unit_price numeric, p_currency text default 'gbp', p_from timestamptz default '-infinity'
) returns void
language sql
as $$
    insert into wallet.prices (org_id, service, unit, unit_price, currency, effective_from)
    values (pg_temp.org(p_name), 'call', 'minute', p_unit_price, p_currency, p_from)
$$;

create function pg_temp.reserve(
    p_name text, p_call_id text, p_minutes integer default 5, p_allow_partial boolean default false
) returns jsonb
language sql
return wallet.reserve_call_credits(
    pg_temp.org(p_name), p_call_id, p_estimated_minutes => p_minutes, p_allow_partial => p_allow_partial
);

create function pg_temp.commit_call(p_name text, p_call_id text, p_seconds bigint) returns jsonb
language sql
return wallet.commit_reserved_credits(p_call_id, p_seconds, pg_temp.org(p_name));

create function pg_temp.release(p_name text, p_call_id text) returns jsonb
language sql
return wallet.release_reservation(p_call_id, pg_temp.org(p_name));

create function pg_temp.bill(p_name text, p_call_id text, p_seconds bigint) returns jsonb
language sql
return wallet.bill_call(pg_temp.org(p_name), p_call_id, p_seconds);

create function pg_temp.spend(p_name text, p_call_id text, p_amount_pence bigint) returns jsonb
language sql
return wallet.deduct_call_credits(pg_temp.org(p_name), p_call_id, null, 0, 0, p_amount_pence);

create function pg_temp.buy(p_name text, p_key text, p_amount_pence bigint) returns jsonb
language sql
return wallet.check_balance_and_deduct_asset_cost(pg_temp.org(p_name), p_amount_pence, 'did', 'a number', p_key);

create function pg_temp.pay_in(p_name text, p_key text, p_amount_pence bigint) returns jsonb
language sql
return wallet.add_wallet_credits(pg_temp.org(p_name), p_amount_pence, 'topup', p_idempotency_key => p_key);

-- So much time goes by for one reservation.
create function pg_temp.later(p_name text, p_call_id text, p_interval interval default '1 day') returns void
language sql
as $$
    update wallet.credit_reservations
    set created_at = created_at - p_interval, updated_at = updated_at - p_interval, expires_at = expires_at - p_interval
    where org_id = pg_temp.org(p_name) and call_id = p_call_id
$$;

-- A wallet at a glance: "balance reserved owed".
create function pg_temp.money(p_name text) returns text
language sql stable
return (
    select format('%s %s %s', wallet_balance_pence, reserved_pence, owed_pence)
    from wallet.organizations
    where id = pg_temp.org(p_name)
);

create function pg_temp.reservation(p_name text, p_call_id text) returns jsonb
language sql stable
return (
    select to_jsonb(r)
    from wallet.credit_reservations as r
    where org_id = pg_temp.org(p_name) and call_id = p_call_id
);

create function pg_temp.call(p_name text, p_call_id text) returns jsonb
language sql stable
return (select to_jsonb(c) from wallet.calls as c where org_id = pg_temp.org(p_name) and call_id = p_call_id);

-- What was charged for a call, entry by entry.
create function pg_temp.charges(p_name text, p_call_id text) returns text
language sql stable
return (
    select coalesce(string_agg(format('%s=%s', idempotency_key, amount_pence), ' ' order by entry_number), 'none')
    from wallet.credit_transactions
    where org_id = pg_temp.org(p_name) and call_id = p_call_id and type = 'call_deduction' and direction = 'debit'
);

-- What a statement raises: its SQLSTATE, or null if it answers.
create function pg_temp.sqlstate_of(p_statement text) returns text
language plpgsql
as $$
begin
    execute p_statement;
    return null;
exception when others then
    return sqlstate;
end;
$$;

-- No money is held without an open reservation, none is owed without a call, and every call adds up.
create function pg_temp.nothing_leaked() returns text
language sql
as $$
    select is_empty(
        '
        select o.id::text, ''reserved'', r.pence, o.reserved_pence
        from wallet.organizations as o
        left join lateral (
            select coalesce(sum(c.reserved_pence), 0)::bigint as pence
            from wallet.credit_reservations as c
            where c.org_id = o.id and c.status = ''open''
        ) as r on true
        where r.pence <> o.reserved_pence
        union all
        select o.id::text, ''owed'', c.pence, o.owed_pence
        from wallet.organizations as o
        left join lateral (
            select coalesce(sum(k.owed_pence), 0)::bigint as pence from wallet.calls as k where k.org_id = o.id
        ) as c on true
        where c.pence <> o.owed_pence
        union all
        select k.org_id::text || '' '' || k.call_id, ''charged'', e.pence, k.charged_pence
        from wallet.calls as k
        left join lateral (
            select coalesce(sum(t.amount_pence), 0)::bigint as pence
            from wallet.credit_transactions as t
            where t.org_id = k.org_id and t.call_id = k.call_id and t.type = ''call_deduction''
        ) as e on true
        where e.pence <> k.charged_pence
        ',
        'what is held, owed and charged is what the reservations, the calls and the ledger say'
    )
$$;
