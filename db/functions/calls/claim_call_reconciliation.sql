-- Two workers at three o'clock: the insertion of the second waits for the first's, and then finds it claimed.
create or replace function wallet.claim_call_reconciliation(
    p_worker text,
    p_lease_seconds integer,
    p_from timestamptz default null,
    p_to timestamptz default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_run wallet.call_reconciliations;
begin
    perform wallet.require_text('p_worker', p_worker);
    perform wallet.require_value('p_lease_seconds', p_lease_seconds);
    if p_lease_seconds not between 1 and 3600 then
        perform wallet.raise_misuse('WL006', 'p_lease_seconds', 'must be between 1 and 3600', p_lease_seconds::text);
    end if;

    if p_from is null and p_to is null then
        perform wallet.plan_call_reconciliations();

        select * into v_run
        from wallet.call_reconciliations
        where status = 'due' and next_try_at <= clock_timestamp()
        order by from_at, to_at
        limit 1
        for no key update skip locked;

        if not found then
            return jsonb_build_object('success', true, 'reconciliation', null);
        end if;
    else
        perform wallet.require_value('p_from', p_from);
        perform wallet.require_value('p_to', p_to);
        if p_to <= p_from or not isfinite(p_from) or not isfinite(p_to) then
            perform wallet.raise_misuse('WL006', 'p_to', 'must be later than p_from', p_to::text);
        elsif p_from > clock_timestamp() then
            perform wallet.raise_misuse('WL006', 'p_from', 'must not be in the future', p_from::text);
        end if;

        insert into wallet.call_reconciliations (from_at, to_at, requested_by)
        values (p_from, p_to, p_worker)
        on conflict (from_at, to_at) do nothing;

        select * into strict v_run
        from wallet.call_reconciliations
        where from_at = p_from and to_at = p_to
        for no key update;

        if v_run.claimed_by <> p_worker and v_run.next_try_at > clock_timestamp() then
            return wallet.refuse(
                'reconciliation_running',
                format('%s reconciles this window; its lease ends at %s.', v_run.claimed_by, v_run.next_try_at),
                jsonb_build_object(
                    'from', p_from, 'to', p_to, 'claimed_by', v_run.claimed_by, 'lease_until', v_run.next_try_at
                )
            );
        end if;
    end if;

    update wallet.call_reconciliations
    set
        status = 'due',
        attempts = attempts + 1,
        claimed_by = p_worker,
        next_try_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
    where from_at = v_run.from_at and to_at = v_run.to_at
    returning * into v_run;

    return jsonb_build_object(
        'success', true,
        'reconciliation',
        jsonb_build_object(
            'from', v_run.from_at,
            'to', v_run.to_at,
            'listed_back_to', v_run.listed_back_to,
            'lease_until', v_run.next_try_at
        )
    );
end;
$$;

revoke all on function wallet.claim_call_reconciliation(text, integer, timestamptz, timestamptz) from public;
grant execute on function wallet.claim_call_reconciliation(text, integer, timestamptz, timestamptz)
to wallet_worker, service_role;

comment on function wallet.claim_call_reconciliation(text, integer, timestamptz, timestamptz) is
'Gives a worker the oldest window that is due, for p_lease_seconds (1 to 3,600), or this one, whether it is due or not: {from, to, listed_back_to, lease_until}, or null when nothing is due. The last seven whole days are due once it is past call_settings.reconcile_at. What a run before it has listed is kept: the provider has to be asked for what is before listed_back_to. Claims by others are skipped, not waited for; a window that was asked for is refused as reconciliation_running. Locks the window''s row. Raises WL001, WL005, WL006.';
