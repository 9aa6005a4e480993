create or replace function wallet.save_provider_calls(
    p_worker text,
    p_from timestamptz,
    p_to timestamptz,
    p_calls jsonb,
    p_listed_back_to timestamptz,
    p_lease_seconds integer
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
    perform wallet.require_value('p_from', p_from);
    perform wallet.require_value('p_to', p_to);
    perform wallet.require_value('p_calls', p_calls);
    perform wallet.require_value('p_listed_back_to', p_listed_back_to);
    perform wallet.require_value('p_lease_seconds', p_lease_seconds);
    if jsonb_typeof(p_calls) <> 'array' then
        perform wallet.raise_misuse('WL006', 'p_calls', 'must be an array of Call objects');
    elsif p_listed_back_to > p_to then
        perform wallet.raise_misuse(
            'WL006', 'p_listed_back_to', 'must not be later than p_to', p_listed_back_to::text
        );
    elsif p_lease_seconds not between 1 and 3600 then
        perform wallet.raise_misuse('WL006', 'p_lease_seconds', 'must be between 1 and 3600', p_lease_seconds::text);
    end if;

    v_run := wallet.lock_call_reconciliation(p_worker, p_from, p_to);
    if v_run.from_at is null then
        return wallet.refuse_lost_reconciliation(p_from, p_to);
    end if;

    -- What has no id is kept to be reported. A call that two pages have is as the later page says.
    insert into wallet.provider_calls as p (from_at, to_at, vapi_call_id, report)
    select distinct on (id)
        p_from,
        p_to,
        id,
        stripped
    from
        jsonb_array_elements(p_calls) with ordinality as l (call, position)
    cross join lateral (
        select
            stripped,
            case
                when btrim(stripped ->> 'id', E' \t\n\r') <> '' and length(stripped ->> 'id') <= 255
                    then stripped ->> 'id'
                else 'unusable:' || md5(call::text)
            end as id
        from wallet.strip_call_report(call) as stripped
    ) as s
    order by id, position desc
    on conflict (from_at, to_at, vapi_call_id) do update
    -- What had not ended may have ended by now.
    set report = excluded.report, outcome = nullif(p.outcome, '{}');

    update wallet.call_reconciliations
    set
        listed_back_to = greatest(p_from, least(listed_back_to, p_listed_back_to)),
        next_try_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
    where from_at = p_from and to_at = p_to
    returning * into v_run;

    return jsonb_build_object(
        'success', true,
        'from', p_from,
        'to', p_to,
        'calls', (select count(*) from wallet.provider_calls where from_at = p_from and to_at = p_to),
        'listed_back_to', v_run.listed_back_to,
        'lease_until', v_run.next_try_at
    );
end;
$$;

revoke all on function wallet.save_provider_calls(text, timestamptz, timestamptz, jsonb, timestamptz, integer)
from public;
grant execute on function wallet.save_provider_calls(text, timestamptz, timestamptz, jsonb, timestamptz, integer)
to wallet_worker, service_role;

comment on function wallet.save_provider_calls(text, timestamptz, timestamptz, jsonb, timestamptz, integer) is
'Keeps a page of the provider''s list for a window that this worker has claimed, without what was said, notes that everything from p_listed_back_to on is listed, and renews the lease for p_lease_seconds (1 to 3,600). calls says how many are kept. The same page twice is kept once. Locks the window''s row. Refuses reconciliation_lost; raises WL001, WL005, WL006.';
