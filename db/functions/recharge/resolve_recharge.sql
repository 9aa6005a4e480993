create or replace function wallet.resolve_recharge(p_org_id uuid, p_attempt_id uuid, p_actor text, p_note text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_attempt wallet.recharge_attempts;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_attempt_id', p_attempt_id);
    perform wallet.require_text('p_actor', p_actor);
    perform wallet.require_text('p_note', p_note);

    perform from wallet.organizations where id = p_org_id for no key update;
    select * into v_attempt
    from wallet.recharge_attempts
    where org_id = p_org_id and id = p_attempt_id
    for no key update;

    if not found then
        return wallet.refuse_unknown_recharge(p_org_id, p_attempt_id);
    elsif
        v_attempt.closed_at is not null
        or (
            v_attempt.state <> 'unresolved'
            and coalesce(v_attempt.first_called_at, 'infinity') > clock_timestamp() - interval '24 hours'
        )
    then
        return wallet.refuse(
            'recharge_not_unresolved',
            format(
                'Recharge attempt %s is %s; a person may close one that is unresolved, or open for a day.',
                p_attempt_id,
                v_attempt.state
            ),
            jsonb_build_object('org_id', p_org_id, 'attempt_id', p_attempt_id, 'state', v_attempt.state)
        );
    end if;

    update wallet.recharge_attempts
    set
        state = 'canceled',
        last_error = format('%s: %s', p_actor, p_note),
        closed_at = clock_timestamp(),
        updated_at = clock_timestamp()
    where org_id = p_org_id and id = p_attempt_id;

    update wallet.topups
    set status = 'canceled', last_error = 'No payment was made.', updated_at = clock_timestamp()
    where org_id = p_org_id and id = p_attempt_id and status <> 'paid';

    return jsonb_build_object('success', true, 'org_id', p_org_id, 'attempt_id', p_attempt_id, 'state', 'canceled');
end;
$$;

revoke all on function wallet.resolve_recharge(uuid, uuid, text, text) from public;
grant execute on function wallet.resolve_recharge(uuid, uuid, text, text) to service_role;

comment on function wallet.resolve_recharge(uuid, uuid, text, text) is
'Closes an attempt that is unresolved, or open for a day after Stripe was first asked, once a person has seen at Stripe that no payment was made, and so frees the wallet for the next. A payment that turns up later is credited all the same. Locks the organization''s row. Refuses recharge_not_found, recharge_not_unresolved; raises WL001, WL005.';
