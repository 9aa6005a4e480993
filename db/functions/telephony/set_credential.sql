create or replace function wallet.set_credential(
    p_org_id uuid,
    p_provider text,
    p_provider_credential_id text,
    p_managed boolean
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_credential wallet.org_credentials;
    v_is_duplicate boolean;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_provider', p_provider);
    perform wallet.require_text('p_provider_credential_id', p_provider_credential_id);
    perform wallet.require_value('p_managed', p_managed);

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_credential
    from wallet.org_credentials
    where org_id = p_org_id and provider = p_provider and provider_credential_id = p_provider_credential_id;
    v_is_duplicate := v_credential.managed is not distinct from p_managed;

    if not v_is_duplicate then
        insert into wallet.org_credentials (org_id, provider, provider_credential_id, managed)
        values (p_org_id, p_provider, p_provider_credential_id, p_managed)
        on conflict (org_id, provider, provider_credential_id) do update set managed = excluded.managed
        returning * into v_credential;
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_is_duplicate,
        'org_id', p_org_id,
        'credential_id', v_credential.id,
        'provider', p_provider,
        'provider_credential_id', p_provider_credential_id,
        'managed', p_managed
    );
end;
$$;

revoke all on function wallet.set_credential(uuid, text, text, boolean) from public;
grant execute on function wallet.set_credential(uuid, text, text, boolean) to service_role;

comment on function wallet.set_credential(uuid, text, text, boolean) is
'Records a credential at a provider by its id there, or changes whose it is: managed, made by us and deleted with the last number that uses it, or the customer''s own, which stays. Locks the organization''s row. Refuses organization_not_found; raises WL001, WL005.';
