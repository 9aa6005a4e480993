-- Those that have waited longest since they were last tried go first.
create or replace function wallet.replay_unbilled_calls(p_limit integer default 200)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_waiting jsonb;
    v_result jsonb;
begin
    perform wallet.require_amount('p_limit', p_limit);

    -- Unlocked: organizations are locked before anything else.
    select jsonb_agg(w.report) into v_waiting
    from (
        select report from wallet.unbilled_calls where billed_at is null order by updated_at limit p_limit
    ) as w;

    v_result := wallet.sum_billings(
        wallet.bill_reported_calls(
            array(select report from wallet.read_listed_calls(v_waiting) where problem is null)
        )
    );

    return jsonb_build_object(
        'success', true,
        'billed', v_result -> 'billed',
        'failed', v_result -> 'failed_count'
    );
end;
$$;

revoke all on function wallet.replay_unbilled_calls(integer) from public;
grant execute on function wallet.replay_unbilled_calls(integer) to wallet_worker, service_role;

comment on function wallet.replay_unbilled_calls(integer) is
'Tries again to bill up to p_limit (1 or more) calls that could not be billed: billed and failed say how many. Locks the organizations in order of id, then the calls'' rows. Raises WL001, WL002.';
