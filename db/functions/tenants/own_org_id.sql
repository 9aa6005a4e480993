-- Only what the token's issuer alone can write counts: a user may write user_metadata.
create or replace function wallet.own_org_id()
returns uuid
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.parse_uuid(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}'
    )
$$;

revoke all on function wallet.own_org_id() from public;

comment on function wallet.own_org_id() is
'Internal: the organization that the verified token of this transaction names in app_metadata.org_id; null when it names none.';
