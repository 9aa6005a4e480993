-- Ledgers written past the functions, for tests of what reads them. Included with \ir after support.sql.

-- Gives a new wallet these entries, in their order. Their hashes are none: the books don't verify.
create function pg_temp.write_ledger(p_name text, p_entries jsonb, p_currency text default 'gbp') returns uuid
language plpgsql
as $$
declare
    v_org_id constant uuid := pg_temp.open_wallet(p_name, p_currency => p_currency);
begin
    insert into wallet.credit_transactions (
        org_id, entry_number, created_at, type, direction, amount_pence, balance_before_pence, balance_after_pence,
        idempotency_key, description, created_by, entry_hash
    )
    select
        v_org_id, n, at, kind, direction, pence, balance - signed, balance, 'entry ' || n,
        coalesce(description, case kind when 'adjustment' then 'A correction' end), 'test', ''
    from (
        select
            e.*,
            s.signed,
            row_number() over entries as n,
            sum(s.signed) over entries as balance
        from
            rows from (
                jsonb_to_recordset(p_entries) as (at timestamptz, kind text, direction text, pence bigint, description text)
            ) with ordinality as e (at, kind, direction, pence, description, position)
        cross join lateral (values (case e.direction when 'credit' then e.pence else -e.pence end)) as s (signed)
        window entries as (order by e.position)
    ) as entry;

    update wallet.organizations as o
    set last_entry_number = l.entry_number, last_entry_at = l.created_at, wallet_balance_pence = l.balance_after_pence
    from (
        select * from wallet.credit_transactions where org_id = v_org_id order by entry_number desc limit 1
    ) as l
    where o.id = v_org_id;
    return v_org_id;
end;
$$;
