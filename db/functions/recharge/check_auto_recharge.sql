create or replace function wallet.check_auto_recharge(p_settings jsonb)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_threshold constant bigint := (p_settings ->> 'threshold_pence')::bigint;
    v_amount constant bigint := (p_settings ->> 'amount_pence')::bigint;
    v_per_day constant integer := (p_settings ->> 'max_per_day')::integer;
    v_per_month constant integer := (p_settings ->> 'max_per_month')::integer;
    v_pence_per_day constant bigint := (p_settings ->> 'max_pence_per_day')::bigint;
    v_pence_per_month constant bigint := (p_settings ->> 'max_pence_per_month')::bigint;
    v_max_declines constant integer := (p_settings ->> 'max_declines')::integer;
    v_cooldown constant integer := (p_settings ->> 'cooldown_seconds')::integer;
begin
    if v_amount <= 0 then
        perform wallet.raise_misuse('WL006', 'p_amount_pence', 'must be above 0', v_amount::text);
    elsif v_threshold < 0 or v_threshold >= v_amount then
        perform wallet.raise_misuse(
            'WL006', 'p_threshold_pence', format('must be 0 or more and below the amount, %s', v_amount), v_threshold::text
        );
    elsif v_per_day < 1 or v_per_day > v_per_month then
        perform wallet.raise_misuse(
            'WL006', 'p_max_per_day', format('must be from 1 to p_max_per_month, %s', v_per_month), v_per_day::text
        );
    elsif v_pence_per_day < v_amount then
        perform wallet.raise_misuse(
            'WL006', 'p_max_pence_per_day', format('must not be below the amount, %s', v_amount), v_pence_per_day::text
        );
    elsif v_pence_per_month < v_pence_per_day then
        perform wallet.raise_misuse(
            'WL006', 'p_max_pence_per_month', format('must not be below p_max_pence_per_day, %s', v_pence_per_day),
            v_pence_per_month::text
        );
    elsif v_cooldown not between 60 and 604800 then
        perform wallet.raise_misuse('WL006', 'p_cooldown_seconds', 'must be from 60 to 604800', v_cooldown::text);
    elsif v_max_declines not between 1 and 10 then
        perform wallet.raise_misuse('WL006', 'p_max_declines', 'must be from 1 to 10', v_max_declines::text);
    end if;
end;
$$;

revoke all on function wallet.check_auto_recharge(jsonb) from public;

comment on function wallet.check_auto_recharge(jsonb) is
'Internal: names the first setting of automatic recharge that the constraints would refuse. Raises WL006.';
