create or replace function wallet.reservation_end(p_from timestamptz, p_minutes integer)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select p_from + make_interval(mins => p_minutes, secs => reservation_grace_seconds)
    from wallet.call_settings
$$;

revoke all on function wallet.reservation_end(timestamptz, integer) from public;

comment on function wallet.reservation_end(timestamptz, integer) is
'Internal: when a reservation for so many minutes lapses; see call_settings.reservation_grace_seconds.';
