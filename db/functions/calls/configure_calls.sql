create or replace function wallet.configure_calls(
    p_actor text,
    p_reliability_alert_percent numeric default null,
    p_duration_tolerance_seconds integer default null,
    p_reservation_grace_seconds integer default null,
    p_reconcile_at time default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_settings wallet.call_settings;
begin
    perform wallet.require_text('p_actor', p_actor);
    if p_reliability_alert_percent not between 0 and 100 then
        perform wallet.raise_misuse(
            'WL006', 'p_reliability_alert_percent', 'must be from 0 to 100', p_reliability_alert_percent::text
        );
    elsif p_duration_tolerance_seconds not between 0 and 3600 then
        perform wallet.raise_misuse(
            'WL006', 'p_duration_tolerance_seconds', 'must be from 0 to 3600', p_duration_tolerance_seconds::text
        );
    elsif p_reservation_grace_seconds not between 60 and 86400 then
        perform wallet.raise_misuse(
            'WL006', 'p_reservation_grace_seconds', 'must be from 60 to 86400', p_reservation_grace_seconds::text
        );
    elsif p_reconcile_at = time '24:00' then
        perform wallet.raise_misuse('WL006', 'p_reconcile_at', 'must be before 24:00', p_reconcile_at::text);
    end if;

    update wallet.call_settings
    set
        reliability_alert_percent = coalesce(p_reliability_alert_percent, reliability_alert_percent),
        duration_tolerance_seconds = coalesce(p_duration_tolerance_seconds, duration_tolerance_seconds),
        reservation_grace_seconds = coalesce(p_reservation_grace_seconds, reservation_grace_seconds),
        reconcile_at = coalesce(p_reconcile_at, reconcile_at),
        updated_by = p_actor,
        updated_at = clock_timestamp()
    where singleton
    returning * into strict v_settings;

    return jsonb_build_object(
        'success', true,
        'reliability_alert_percent', v_settings.reliability_alert_percent,
        'duration_tolerance_seconds', v_settings.duration_tolerance_seconds,
        'reservation_grace_seconds', v_settings.reservation_grace_seconds,
        'reconcile_at', v_settings.reconcile_at
    );
end;
$$;

revoke all on function wallet.configure_calls(text, numeric, integer, integer, time) from public;
grant execute on function wallet.configure_calls(text, numeric, integer, integer, time) to service_role;

comment on function wallet.configure_calls(text, numeric, integer, integer, time) is
'Changes how calls are reserved and reconciled; null leaves a setting as it is. The alert''s threshold is 0 to 100 %, the tolerance of durations 0 to 3,600 s, a reservation''s grace 60 to 86,400 s, reconcile_at a time of day in UTC. Answers the settings. Raises WL001, WL005, WL006.';
