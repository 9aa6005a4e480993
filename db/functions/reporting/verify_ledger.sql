-- Reads each chain in order and recomputes it; then holds its end against the organization's row, so
-- that entries cut off the end are missed too.
create or replace function wallet.verify_ledger(p_org_id uuid default null)
returns table (org_id uuid, entry_number bigint, problem text, expected text, actual text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    with entries as (
        select
            e as entry,
            lag(e.entry_number, 1, 0::bigint) over chain as previous_number,
            lag(e.balance_after_pence, 1, 0::bigint) over chain as previous_balance,
            lag(e.created_at, 1, '-infinity'::timestamptz) over chain as previous_at,
            lag(e.entry_hash, 1, decode(repeat('00', 32), 'hex')) over chain as previous_hash
        from wallet.credit_transactions as e
        where p_org_id is null or e.org_id = p_org_id
        window chain as (partition by e.org_id order by e.entry_number)
    ),

    heads as (
        select
            o.id as org_id,
            o.last_entry_number as head_number,
            o.wallet_balance_pence as head_balance,
            o.last_entry_at as head_at,
            o.last_entry_hash as head_hash,
            coalesce(e.entry_number, 0) as last_number,
            coalesce(e.balance_after_pence, 0) as last_balance,
            coalesce(e.created_at, '-infinity') as last_at,
            coalesce(e.entry_hash, decode(repeat('00', 32), 'hex')) as last_hash
        from wallet.organizations as o
        left join lateral (
            select
                c.entry_number,
                c.balance_after_pence,
                c.created_at,
                c.entry_hash
            from wallet.credit_transactions as c
            where c.org_id = o.id
            order by c.entry_number desc
            limit 1
        ) as e on true
        where p_org_id is null or o.id = p_org_id
    ),

    findings (org_id, entry_number, problem, expected, actual) as (
        select
            (e.entry).org_id,
            (e.entry).entry_number,
            finding.*
        from entries as e
        cross join lateral (
            values
            ('entry_number', (e.previous_number + 1)::text, (e.entry).entry_number::text),
            ('balance_before', e.previous_balance::text, (e.entry).balance_before_pence::text),
            (
                'balance_after',
                (
                    (e.entry).balance_before_pence
                    + case (e.entry).direction when 'credit' then (e.entry).amount_pence else -(e.entry).amount_pence end
                )::text,
                (e.entry).balance_after_pence::text
            ),
            (
                'created_at',
                greatest(e.previous_at, (e.entry).created_at)::text,
                (e.entry).created_at::text
            ),
            (
                'entry_hash',
                encode(wallet.hash_entry(e.previous_hash, e.entry), 'hex'),
                encode((e.entry).entry_hash, 'hex')
            )
        ) as finding

        union all

        select
            h.org_id,
            null,
            finding.*
        from heads as h
        cross join lateral (
            values
            ('last_entry_number', h.last_number::text, h.head_number::text),
            ('wallet_balance', h.last_balance::text, h.head_balance::text),
            ('last_entry_at', h.last_at::text, h.head_at::text),
            ('last_entry_hash', encode(h.last_hash, 'hex'), encode(h.head_hash, 'hex'))
        ) as finding
    )

    select
        f.org_id,
        f.entry_number,
        f.problem,
        f.expected,
        f.actual
    from findings as f
    where f.expected is distinct from f.actual
    order by f.org_id, f.entry_number, f.problem
$$;

revoke all on function wallet.verify_ledger(uuid) from public;
grant execute on function wallet.verify_ledger(uuid) to service_role;

comment on function wallet.verify_ledger(uuid) is
'Recomputes the hash chain, numbers, balances and times of one ledger, or of all, and answers a row for every break: none when all is well. entry_number is null where the organization''s row disagrees with the end of its chain.';
