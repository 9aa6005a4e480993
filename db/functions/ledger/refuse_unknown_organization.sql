create or replace function wallet.refuse_unknown_organization(p_org_id uuid)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'organization_not_found',
        coalesce('There is no wallet for organization ' || p_org_id || '.', 'No organization is named.'),
        jsonb_build_object('org_id', p_org_id)
    )
$$;

revoke all on function wallet.refuse_unknown_organization(uuid) from public;
grant execute on function wallet.refuse_unknown_organization(uuid) to service_role, authenticated;

comment on function wallet.refuse_unknown_organization(uuid) is
'The refusal organization_not_found.';
