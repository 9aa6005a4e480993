-- Billed in one transaction, the calls of a whole day would hold up whoever spends, and each would take longer than
-- the one before it: every charge makes a version of its wallet's row that no look-up gets around until then.
create or replace function wallet.recover_provider_calls(
    p_worker text,
    p_from timestamptz,
    p_to timestamptz,
    p_lease_seconds integer,
    p_limit integer default 200
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_run wallet.call_reconciliations;
    v_listed jsonb;
    v_ids text[];
    v_remaining bigint;
    v_billed jsonb;
    v_outcomes jsonb;
    v_sums jsonb;
begin
    perform wallet.require_text('p_worker', p_worker);
    perform wallet.require_value('p_from', p_from);
    perform wallet.require_value('p_to', p_to);
    perform wallet.require_value('p_lease_seconds', p_lease_seconds);
    perform wallet.require_amount('p_limit', p_limit);
    if p_lease_seconds not between 1 and 3600 then
        perform wallet.raise_misuse('WL006', 'p_lease_seconds', 'must be between 1 and 3600', p_lease_seconds::text);
    end if;

    v_run := wallet.lock_call_reconciliation(p_worker, p_from, p_to);
    if v_run.from_at is null then
        return wallet.refuse_lost_reconciliation(p_from, p_to);
    end if;

    -- Calls of one wallet are next to each other, so that few wallets are locked at once; the earliest first.
    select
        jsonb_agg(report) filter (where position <= p_limit),
        array_agg(vapi_call_id) filter (where position <= p_limit),
        greatest(0, count(*) - p_limit)
    into v_listed, v_ids, v_remaining
    from (
        select
            p.report,
            p.vapi_call_id,
            row_number() over (
                order by
                    p.report #>> '{metadata,org_id}' collate "C",
                    p.report ->> 'assistantId' collate "C",
                    p.report ->> 'phoneNumberId' collate "C",
                    p.report ->> 'createdAt' collate "C",
                    p.vapi_call_id collate "C"
            ) as position
        from wallet.provider_calls as p
        left join lateral (
            select call_id
            from wallet.calls
            where vapi_call_id = p.vapi_call_id
            limit 1
        ) as c on true
        where p.from_at = p_from and p.to_at = p_to and p.outcome is null and c.call_id is null
    ) as waiting;

    v_billed := wallet.bill_reported_calls(
        array(
            select report
            from wallet.read_listed_calls(v_listed)
            where
                problem is null
                and (report).ended
                and (report).placed_at >= p_from
                and (report).placed_at < p_to
        )
    );
    v_sums := wallet.sum_billings(v_billed);

    select jsonb_object_agg(o ->> 'vapi_call_id', o) into v_outcomes
    from jsonb_array_elements(v_billed) as o;

    update wallet.provider_calls as p
    set outcome = coalesce(v_outcomes -> p.vapi_call_id, '{}')
    where p.from_at = p_from and p.to_at = p_to and p.vapi_call_id = any(v_ids);

    update wallet.call_reconciliations
    set next_try_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
    where from_at = p_from and to_at = p_to
    returning * into v_run;

    return jsonb_build_object(
        'success', true,
        'from', p_from,
        'to', p_to,
        'recovered', v_sums -> 'billed',
        'failed', v_sums -> 'failed_count',
        'remaining', v_remaining,
        'lease_until', v_run.next_try_at
    );
end;
$$;

revoke all on function wallet.recover_provider_calls(text, timestamptz, timestamptz, integer, integer) from public;
grant execute on function wallet.recover_provider_calls(text, timestamptz, timestamptz, integer, integer)
to wallet_worker, service_role;

comment on function wallet.recover_provider_calls(text, timestamptz, timestamptz, integer, integer) is
'Looks at up to p_limit (1 or more) calls that are kept for a window that this worker has claimed, not in calls and not looked at before in this run, and bills those that have ended and lie in it: recovered and failed say how many, remaining how many are left to look at. Renews the lease for p_lease_seconds (1 to 3,600). Called until nothing remains, it lets finish_call_reconciliation compare only; the report tells of them all. Locks the window''s row, then organizations in order of id, then unbilled calls in order of theirs. Refuses reconciliation_lost; raises WL001, WL002, WL005, WL006.';
