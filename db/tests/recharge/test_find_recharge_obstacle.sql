begin;
select plan(46);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

-- A wallet that needs a recharge and has not asked for it.
create function pg_temp.needy(p_name text) returns uuid
language plpgsql
as $$
begin
    perform pg_temp.rechargeable(p_name);
    perform wallet.adjust_wallet(pg_temp.org(p_name), 200, 'debit', 'Needy', 'ann', 'needy');
    return pg_temp.org(p_name);
end;
$$;

-- Attempts of long ago or not so long ago.
create function pg_temp.past(p_name text, p_state text, p_age interval) returns void
language sql
as $$
    insert into wallet.recharge_attempts (
        org_id, id, state, amount_pence, currency, stripe_customer_id, stripe_payment_method_id, balance_pence,
        created_at, closed_at
    )
    values (
        pg_temp.org(p_name), gen_random_uuid(), p_state, 5000, 'gbp', 'cus', 'pm', 0, clock_timestamp() - p_age,
        clock_timestamp() - p_age
    )
$$;

do $$ begin perform pg_temp.needy('acme'); end $$;
select is(pg_temp.obstacle('acme'), 'none', 'below the threshold, with a card, nothing stands in the way');

-- One by one.
create function pg_temp.with_change(p_change text) returns text
language plpgsql
as $$
declare
    v_obstacle text;
begin
    execute format(p_change, quote_literal(pg_temp.org('acme')));
    v_obstacle := pg_temp.obstacle('acme');
    raise exception using errcode = 'WLXXX', message = v_obstacle;
exception when sqlstate 'WLXXX' then
    return sqlerrm;
end;
$$;
select is(pg_temp.with_change(change), expected, format('%s: %s', expected, regexp_replace(change, '\s+', ' ', 'g')))
from (
    values
    ('update wallet.organizations set wallet_auto_recharge = false where id = %s', 'off'),
    ('update wallet.organizations set stripe_default_pm_id = null where id = %s', 'no_payment_method'),
    ('update wallet.organizations set stripe_customer_id = null where id = %s', 'no_payment_method'),
    (
        'update wallet.recharge_settings set blocked_payment_method_id = ''pm_acme'', blocked_because = ''x''
         where org_id = %s',
        'payment_method_blocked'
    ),
    (
        'update wallet.recharge_settings set blocked_payment_method_id = ''pm_other'', blocked_because = ''x''
         where org_id = %s',
        'none'
    ),
    ('select wallet.freeze_wallet(%s, ''Under review'', ''ann'')', 'wallet_frozen'),
    ('select wallet.request_recharge(%s)', 'attempt_open'),
    ('update wallet.organizations set wallet_balance_pence = 500 where id = %s', 'balance_sufficient'),
    ('update wallet.organizations set wallet_balance_pence = 499 where id = %s', 'none'),
    ('update wallet.organizations set wallet_balance_pence = -100000 where id = %s', 'none'),
    ('delete from wallet.recharge_settings where org_id = %s', 'none')
) as tried (change, expected);

-- An early fraud warning and a dispute stop it, whatever else they refuse.
do $$
begin
    perform pg_temp.needy(name) from unnest(array['warned', 'disputed']) as name;
    perform wallet.open_freeze(pg_temp.org('warned'), 'early_fraud_warning', 'Fraud', 'stripe', 'issfr_1');
    perform wallet.open_freeze(pg_temp.org('disputed'), 'dispute', 'Dispute', 'stripe', 'du_1');
    perform wallet.configure_freeze('dispute', false, false, 'ann');
end $$;
select is(pg_temp.obstacle(name), 'wallet_frozen', format('a %s wallet is frozen for recharges', name))
from unnest(array['warned', 'disputed']) as name;

-- Any open state keeps the slot.
create function pg_temp.obstacle_beside(p_state text) returns text
language plpgsql
as $$
begin
    perform pg_temp.needy(p_state);
    perform wallet.request_recharge(pg_temp.org(p_state));
    update wallet.recharge_attempts set state = p_state where org_id = pg_temp.org(p_state);
    perform pg_temp.later(p_state, '40 days');
    return pg_temp.obstacle(p_state);
end;
$$;
select is(pg_temp.obstacle_beside(state), 'attempt_open', format('%s keeps the slot, however long', state))
from unnest(array['requested', 'calling', 'unknown', 'processing', 'requires_action', 'unresolved']) as state;

-- Payments on their way count as if they were there.
create function pg_temp.under_way(p_status text, p_intent text, p_age interval, p_pence bigint) returns text
language plpgsql
as $$
declare
    v_name constant text := concat_ws(' ', p_status, p_intent, p_age, p_pence);
begin
    perform pg_temp.needy(v_name);
    insert into wallet.topups (
        org_id, kind, status, amount_pence, currency, stripe_request, stripe_payment_intent_id, updated_at,
        idempotency_key
    )
    values (
        pg_temp.org(v_name), 'wallet_topup', p_status, p_pence, 'gbp', '{}', p_intent, clock_timestamp() - p_age, 'k'
    );
    return pg_temp.obstacle(v_name);
end;
$$;
select is(pg_temp.under_way(status, intent, age, pence), expected, what)
from (
    values
    ('pending', 'pi_1', interval '0', 5000, 'balance_sufficient', 'a payment that waits for its bank is on its way'),
    ('pending', 'pi_1', '0', 100, 'balance_sufficient', 'if it fills the gap'),
    ('pending', 'pi_1', '0', 99, 'none', 'which a smaller one doesn''t'),
    ('pending', 'pi_1', '13 days 23 hours', 5000, 'balance_sufficient', 'bank debits take up to 14 days'),
    ('pending', 'pi_1', '14 days 1 hour', 5000, 'none', 'not longer'),
    ('pending', null, '0', 5000, 'none', 'a checkout that nobody has paid on is no payment'),
    ('failed', 'pi_1', '0', 5000, 'none', 'nor is one that failed'),
    ('expired', 'pi_1', '0', 5000, 'none', 'or expired'),
    ('canceled', 'pi_1', '0', 5000, 'none', 'or was canceled'),
    ('paid', 'pi_1', '0', 5000, 'none', 'one that is paid is in the balance')
) as payment (status, intent, age, pence, expected, what);

-- Cooldown and caps.
create function pg_temp.capped(p_settings text, p_past text[]) returns text
language plpgsql
as $$
declare
    v_name constant text := concat_ws(' ', p_settings, p_past);
    v_past text;
begin
    perform pg_temp.needy(v_name);
    execute format('update wallet.recharge_settings set %s where org_id = %L', p_settings, pg_temp.org(v_name));
    foreach v_past in array p_past loop
        perform pg_temp.past(v_name, split_part(v_past, ' ', 1), split_part(v_past, ' ', 2)::interval);
    end loop;
    return pg_temp.obstacle(v_name);
end;
$$;
select is(pg_temp.capped(settings, past), expected, format('%s after %s: %s', settings, past, expected))
from (
    values
    ('cooldown_seconds = 900', array['succeeded 00:14:50'], 'cooldown'),
    ('cooldown_seconds = 900', array['succeeded 00:15:01'], 'none'),
    ('cooldown_seconds = 900', array['declined 00:14:50'], 'cooldown'),
    ('cooldown_seconds = 900', array['canceled 00:14:50'], 'cooldown'),
    ('cooldown_seconds = 604800', array['declined 6d'], 'cooldown'),
    ('max_per_day = 2', array['declined 2h', 'declined 23h'], 'max_per_day'),
    ('max_per_day = 2', array['declined 2h', 'declined 25h'], 'none'),
    ('max_per_day = 2', array['canceled 2h', 'succeeded 23h'], 'max_per_day'),
    ('max_per_day = 2, max_per_month = 2', array['declined 2d', 'succeeded 29d'], 'max_per_month'),
    ('max_per_day = 2, max_per_month = 2', array['declined 2d', 'succeeded 31d'], 'none'),
    ('max_pence_per_day = 14999', array['succeeded 2h', 'succeeded 23h'], 'max_pence_per_day'),
    ('max_pence_per_day = 15000', array['succeeded 2h', 'succeeded 23h'], 'none'),
    ('max_pence_per_day = 14999', array['succeeded 2h', 'succeeded 25h'], 'none'),
    ('max_pence_per_day = 14999', array['declined 2h', 'canceled 3h', 'succeeded 4h'], 'none'),
    (
        'max_pence_per_day = 14999, max_pence_per_month = 14999', array['succeeded 2d', 'succeeded 29d'],
        'max_pence_per_month'
    ),
    ('max_pence_per_day = 14999, max_pence_per_month = 14999', array['succeeded 2d', 'succeeded 31d'], 'none')
) as capped (settings, past, expected);

select * from finish();
rollback;
