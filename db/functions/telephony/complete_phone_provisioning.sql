create or replace function wallet.complete_phone_provisioning(
    p_org_id uuid,
    p_idempotency_key text,
    p_provider_number_id text,
    p_credential_id uuid default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_number wallet.phone_numbers;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_idempotency_key', p_idempotency_key);
    perform wallet.require_text('p_provider_number_id', p_provider_number_id);

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_number
    from wallet.phone_numbers
    where org_id = p_org_id and idempotency_key = p_idempotency_key;
    if not found then
        return wallet.refuse_unknown_number(p_org_id, p_idempotency_key);
    elsif v_number.status in ('failed', 'released') then
        return wallet.refuse_number_status('number_not_provisioning', v_number);
    elsif v_number.status = 'active' then
        if
            v_number.provider_number_id <> p_provider_number_id
            or v_number.credential_id is distinct from p_credential_id
        then
            return wallet.refuse(
                'idempotency_conflict',
                format('Phone number %s is active already, as another one of the provider''s.', v_number.number),
                jsonb_build_object(
                    'phone_number_id', v_number.id,
                    'original_provider_number_id', v_number.provider_number_id,
                    'original_credential_id', v_number.credential_id,
                    'attempted_provider_number_id', p_provider_number_id,
                    'attempted_credential_id', p_credential_id
                )
            );
        end if;
        return '{"success": true, "duplicate": true}' || wallet.answer_phone_number(v_number);
    elsif
        p_credential_id is not null
        and not exists (select from wallet.org_credentials where org_id = p_org_id and id = p_credential_id)
    then
        return wallet.refuse(
            'credential_not_found',
            format('Organization %s has no credential %s.', p_org_id, p_credential_id),
            jsonb_build_object('org_id', p_org_id, 'credential_id', p_credential_id)
        );
    end if;

    update wallet.phone_numbers
    set
        status = 'active',
        provider_number_id = p_provider_number_id,
        credential_id = p_credential_id,
        updated_at = clock_timestamp()
    where org_id = p_org_id and id = v_number.id
    returning * into v_number;

    return '{"success": true, "duplicate": false}' || wallet.answer_phone_number(v_number);
end;
$$;

revoke all on function wallet.complete_phone_provisioning(uuid, text, text, uuid) from public;
grant execute on function wallet.complete_phone_provisioning(uuid, text, text, uuid) to service_role;

comment on function wallet.complete_phone_provisioning(uuid, text, text, uuid) is
'Records that the provider has bought the phone number of this key: its id there, and the credential that it is called with. Locks the organization''s row. Refuses organization_not_found, phone_number_not_found, number_not_provisioning, credential_not_found, idempotency_conflict; raises WL001, WL005.';
