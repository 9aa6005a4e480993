create or replace function wallet.finish_call_reconciliation(p_worker text, p_from timestamptz, p_to timestamptz)
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

    v_run := wallet.lock_call_reconciliation(p_worker, p_from, p_to);
    if v_run.from_at is null then
        return wallet.refuse_lost_reconciliation(p_from, p_to);
    elsif v_run.listed_back_to is distinct from p_from then
        return wallet.refuse(
            'reconciliation_incomplete',
            format('The provider''s calls before %s are not listed yet.', coalesce(v_run.listed_back_to, p_to)),
            jsonb_build_object('from', p_from, 'to', p_to, 'listed_back_to', v_run.listed_back_to)
        );
    end if;

    return wallet.reconcile_calls(
        p_from,
        p_to,
        (
            select coalesce(jsonb_agg(report), '[]')
            from wallet.provider_calls
            where from_at = p_from and to_at = p_to
        )
    );
end;
$$;

revoke all on function wallet.finish_call_reconciliation(text, timestamptz, timestamptz) from public;
grant execute on function wallet.finish_call_reconciliation(text, timestamptz, timestamptz)
to wallet_worker, service_role;

comment on function wallet.finish_call_reconciliation(text, timestamptz, timestamptz) is
'Reconciles a window that this worker has claimed and listed to its beginning: answers, locks and bills as reconcile_calls, and forgets the list. Refuses reconciliation_lost, and reconciliation_incomplete until listed_back_to is p_from; raises WL001, WL005.';
