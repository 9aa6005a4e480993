create or replace function wallet.own_user()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select 'user:' || coalesce(left(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', 200), '')
$$;

revoke all on function wallet.own_user() from public;

comment on function wallet.own_user() is
'Internal: how the user whom the verified token of this transaction names is recorded as the actor of a change.';
