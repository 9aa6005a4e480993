create or replace function wallet.set_auto_recharge(
    p_org_id uuid,
    p_enabled boolean,
    p_actor text,
    p_threshold_pence bigint default null,
    p_amount_pence bigint default null,
    p_max_per_day integer default null,
    p_max_per_month integer default null,
    p_max_pence_per_day bigint default null,
    p_max_pence_per_month bigint default null,
    p_cooldown_seconds integer default null,
    p_max_declines integer default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_old jsonb;
    v_new jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_enabled', p_enabled);
    perform wallet.require_text('p_actor', p_actor);

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    insert into wallet.recharge_settings (org_id) values (p_org_id) on conflict (org_id) do nothing;
    v_old := wallet.describe_auto_recharge(p_org_id);
    v_new := v_old || jsonb_strip_nulls(jsonb_build_object(
        'enabled', p_enabled,
        'threshold_pence', p_threshold_pence,
        'amount_pence', p_amount_pence,
        'max_per_day', p_max_per_day,
        'max_per_month', p_max_per_month,
        'max_pence_per_day', p_max_pence_per_day,
        'max_pence_per_month', p_max_pence_per_month,
        'cooldown_seconds', p_cooldown_seconds,
        'max_declines', p_max_declines
    ));
    perform wallet.check_auto_recharge(v_new);

    update wallet.organizations
    set
        wallet_auto_recharge = p_enabled,
        wallet_low_balance_pence = (v_new ->> 'threshold_pence')::bigint,
        wallet_recharge_amount_pence = (v_new ->> 'amount_pence')::bigint,
        updated_at = clock_timestamp()
    where id = p_org_id;

    update wallet.recharge_settings
    set
        max_per_day = (v_new ->> 'max_per_day')::integer,
        max_per_month = (v_new ->> 'max_per_month')::integer,
        max_pence_per_day = (v_new ->> 'max_pence_per_day')::bigint,
        max_pence_per_month = (v_new ->> 'max_pence_per_month')::bigint,
        cooldown_seconds = (v_new ->> 'cooldown_seconds')::integer,
        max_declines = (v_new ->> 'max_declines')::integer,
        updated_at = clock_timestamp()
    where org_id = p_org_id;

    insert into wallet.organization_changes (org_id, setting, old_value, new_value, actor)
    select p_org_id, 'auto_recharge.' || n.key, v_old ->> n.key, v_new ->> n.key, p_actor
    from jsonb_object_keys(v_new) as n (key)
    where v_new -> n.key <> v_old -> n.key;

    if p_enabled then
        perform wallet.request_recharge(p_org_id);
    else
        perform wallet.cancel_requested_recharge(p_org_id, 'Automatic recharge was turned off.');
    end if;

    return jsonb_build_object('success', true, 'duplicate', v_new = v_old, 'org_id', p_org_id)
    || v_new
    || wallet.describe_recharge_state(p_org_id);
end;
$$;

revoke all on function wallet.set_auto_recharge(
    uuid, boolean, text, bigint, bigint, integer, integer, bigint, bigint, integer, integer
) from public;
grant execute on function wallet.set_auto_recharge(
    uuid, boolean, text, bigint, bigint, integer, integer, bigint, bigint, integer, integer
) to service_role;

comment on function wallet.set_auto_recharge(
    uuid, boolean, text, bigint, bigint, integer, integer, bigint, bigint, integer, integer
) is
'Turns automatic recharge on or off and sets what is not null of: threshold (0 or more, below the amount), amount, how many and how much in any 24 hours and 30 days, cooldown (60 to 604,800 seconds), after how many declines in a row the card is not tried again (1 to 10). Minor units. Starts one at once where the balance is low already. Recorded with its actor. Locks the organization''s row. Refuses organization_not_found; raises WL001, WL005, WL006.';
