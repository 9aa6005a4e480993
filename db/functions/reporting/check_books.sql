-- One check at a time, and of what is stored at one moment. A worker that dies half-way leaves nothing behind, so
-- another one begins anew. Problems that the check before has found are not told again: a figure that is wrong stays
-- wrong by the same difference while its wallet is in use.
create or replace function wallet.check_books(p_worker text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_every constant interval := '1 day';
    v_most_listed constant integer := 100;
    v_kept constant integer := 400;
    v_started_at constant timestamptz := clock_timestamp();
    v_last wallet.consistency_checks;
    v_wallets bigint;
    v_problems bigint;
    v_first_problems jsonb;
    v_alerts boolean;
begin
    perform wallet.require_text('p_worker', p_worker);

    if not pg_try_advisory_xact_lock(hashtext('wallet consistency check'), 0) then
        return jsonb_build_object('success', true, 'checked', false, 'reason', 'under_way');
    end if;

    select * into v_last
    from wallet.consistency_checks
    order by started_at desc
    limit 1;

    if v_last.started_at > v_started_at - v_every then
        return jsonb_build_object(
            'success', true, 'checked', false, 'reason', 'not_due', 'due_at', v_last.started_at + v_every
        );
    end if;

    select count(*) into v_wallets from wallet.organizations;

    select
        count(*),
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'org_id', f.org_id, 'problem', f.problem, 'expected', f.expected, 'actual', f.actual
                )
                || case
                    when f.expected ~ '^-?\d+$' and f.actual ~ '^-?\d+$'
                        then jsonb_build_object('difference', f.actual::numeric - f.expected::numeric)
                    else '{}'
                end
                order by f.place
            ) filter (where f.place <= v_most_listed),
            '[]'
        )
    into v_problems, v_first_problems
    from (
        select
            v.*,
            row_number() over (order by v.org_id, v.problem, v.expected, v.actual) as place
        from wallet.validate_credits_consistency() as v
    ) as f;

    v_alerts := v_problems > coalesce(v_last.problems, 0) or exists (
        select
        from jsonb_array_elements(v_first_problems) as n
        where not exists (
            select
            from jsonb_array_elements(v_last.first_problems) as o
            where
                o -> 'org_id' = n -> 'org_id'
                and o -> 'problem' = n -> 'problem'
                and coalesce(o -> 'difference', o - 'difference') = coalesce(n -> 'difference', n - 'difference')
        )
    );

    insert into wallet.consistency_checks (
        started_at, finished_at, worker, wallets, problems, first_problems, alerted
    )
    values (v_started_at, clock_timestamp(), p_worker, v_wallets, v_problems, v_first_problems, v_alerts);

    delete from wallet.consistency_checks
    where started_at < (select started_at from wallet.consistency_checks order by started_at desc offset v_kept - 1 limit 1);

    if v_alerts then
        perform wallet.emit_message(
            'books_out_of_order',
            null,
            jsonb_build_object(
                'message', format(
                    'The books are not in order: %s %s found. The first: %s of organization %s should be %s and is %s.',
                    v_problems,
                    case v_problems when 1 then 'problem was' else 'problems were' end,
                    v_first_problems #>> '{0,problem}',
                    v_first_problems #>> '{0,org_id}',
                    v_first_problems #>> '{0,expected}',
                    v_first_problems #>> '{0,actual}'
                ),
                'wallets', v_wallets,
                'problems', v_problems,
                'first_problem', v_first_problems -> 0
            )
        );
    end if;

    return jsonb_build_object(
        'success', true, 'checked', true, 'wallets', v_wallets, 'problems', v_problems, 'alerted', v_alerts
    );
end;
$$;

revoke all on function wallet.check_books(text) from public;
grant execute on function wallet.check_books(text) to wallet_worker, service_role;

comment on function wallet.check_books(text) is
'Once a day, for whichever worker asks first: keeps in consistency_checks what validate_credits_consistency finds, the last 400 times, and tells the outbox (books_out_of_order) of problems that the check before hadn''t found. checked is false, with a reason, while the last check is younger than a day (not_due) or another worker is at it (under_way). Locks no wallet and waits for nobody. Raises WL001, WL005.';
