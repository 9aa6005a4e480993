begin;
select plan(18);
\ir ../support.sql
\ir reports.sql

select is(
    wallet.configure_calls('ann'),
    '{
        "success": true, "reliability_alert_percent": 95.00, "duration_tolerance_seconds": 1,
        "reservation_grace_seconds": 900, "reconcile_at": "03:00:00"
    }',
    'until somebody says otherwise'
);
select is(
    wallet.configure_calls('bob', 97.5, 3, 60, '04:30'),
    '{
        "success": true, "reliability_alert_percent": 97.50, "duration_tolerance_seconds": 3,
        "reservation_grace_seconds": 60, "reconcile_at": "04:30:00"
    }',
    'each is a setting'
);
select is(
    wallet.configure_calls('cid', p_duration_tolerance_seconds => 0) - 'success',
    '{
        "reliability_alert_percent": 97.50, "duration_tolerance_seconds": 0, "reservation_grace_seconds": 60,
        "reconcile_at": "04:30:00"
    }',
    'what is not named stays'
);
select is(updated_by, 'cid', 'who changed them last is kept') from wallet.call_settings;

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.configure_calls(%s)', arguments), sqlstate, field, format('%s is misuse', arguments)
)
from (
    values
    ('null', 'WL001', 'p_actor'),
    (''' ''', 'WL005', 'p_actor'),
    ('''ann'', -0.01', 'WL006', 'p_reliability_alert_percent'),
    ('''ann'', 100.01', 'WL006', 'p_reliability_alert_percent'),
    ('''ann'', ''NaN''', 'WL006', 'p_reliability_alert_percent'),
    ('''ann'', null, -1', 'WL006', 'p_duration_tolerance_seconds'),
    ('''ann'', null, 3601', 'WL006', 'p_duration_tolerance_seconds'),
    ('''ann'', null, null, 59', 'WL006', 'p_reservation_grace_seconds'),
    ('''ann'', null, null, 86401', 'WL006', 'p_reservation_grace_seconds'),
    ('''ann'', null, null, null, ''24:00''', 'WL006', 'p_reconcile_at')
) as misuse (arguments, sqlstate, field);
select is(pg_temp.everything(), state, 'neither changes anything') from before_misuse;
select is(
    (wallet.configure_calls('ann', 100, 3600, 86400, '23:59:59') ->> 'success'), 'true', 'the limits are allowed'
);
select is((wallet.configure_calls('ann', 0, 0, 60, '00:00') ->> 'success'), 'true', 'at both ends');
select is(
    pg_temp.callers('wallet.configure_calls(text, numeric, integer, integer, time)'), array['service_role'],
    'only a backend may call it'
);

select * from finish();
rollback;
