-- The one other place that sets a balance, and only to what the ledger says. A ledger that contradicts
-- itself, or has lost its end, is not a source to repair from; that is for a person to look at.
create or replace function wallet.sync_user_credits(p_org_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before wallet.organizations;
    v_after wallet.organizations;
    v_problems bigint;
begin
    perform wallet.require_value('p_org_id', p_org_id);

    select * into v_before
    from wallet.organizations
    where id = p_org_id
    for no key update;

    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select count(*) into v_problems
    from wallet.verify_ledger(p_org_id)
    where problem <> 'wallet_balance';

    if v_problems > 0 then
        return wallet.refuse(
            'ledger_inconsistent',
            format('verify_ledger finds %s breaks in the ledger itself. Nothing was changed.', v_problems),
            jsonb_build_object('org_id', p_org_id, 'problems', v_problems)
        );
    end if;

    update wallet.organizations as o
    set
        wallet_balance_pence = coalesce(t.balance_pence, 0),
        total_topped_up_pence = coalesce(t.total_topped_up_pence, 0),
        total_spent_pence = coalesce(t.total_spent_pence, 0),
        total_profit_pence = coalesce(t.total_profit_pence, 0),
        total_calls = coalesce(t.total_calls, 0),
        reserved_pence = (
            select coalesce(sum(reserved_pence), 0)
            from wallet.credit_reservations
            where org_id = p_org_id and status = 'open'
        ),
        owed_pence = (
            select coalesce(sum(owed_pence), 0)
            from wallet.calls
            where org_id = p_org_id and owed_pence > 0
        ),
        has_calls = exists (select from wallet.calls where org_id = p_org_id),
        updated_at = clock_timestamp()
    from (select p_org_id as org_id) as wanted
    left join wallet.ledger_totals as t on t.org_id = wanted.org_id
    where o.id = wanted.org_id
    returning o.* into v_after;

    return jsonb_build_object(
        'success', true,
        'org_id', p_org_id,
        'balance_pence', v_after.wallet_balance_pence,
        'changed', (
            select coalesce(
                jsonb_object_agg(b.key, jsonb_build_object('before', b.value, 'after', a.value)), '{}'
            )
            from jsonb_each(to_jsonb(v_before)) as b
            inner join jsonb_each(to_jsonb(v_after)) as a on a.key = b.key
            where b.value <> a.value and b.key <> 'updated_at'
        )
    );
end;
$$;

revoke all on function wallet.sync_user_credits(uuid) from public;
grant execute on function wallet.sync_user_credits(uuid) to service_role;

comment on function wallet.sync_user_credits(uuid) is
'Recomputes the stored balance and totals of a wallet from its ledger, and what is reserved and owed, and whether it has calls, from its reservations and calls, and answers what changed. Locks the organization''s row. Refuses organization_not_found, ledger_inconsistent; raises WL001.';
