create or replace function wallet.find_number_user(p_number text)
returns uuid
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select org_id
    from wallet.phone_numbers
    where number = p_number and status in ('provisioning', 'active')
    limit 1
$$;

revoke all on function wallet.find_number_user(text) from public;

comment on function wallet.find_number_user(text) is
'Internal: the organization that has, or is getting, a phone number; null when it is free. The caller holds the number''s lock.';
