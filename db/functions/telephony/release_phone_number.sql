-- Locks the organization's row like whoever links an agent or a credential, so that none is linked to
-- a number while it goes.
create or replace function wallet.release_phone_number(
    p_org_id uuid,
    p_phone_number_id uuid,
    p_actor text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_number wallet.phone_numbers;
    v_is_duplicate boolean;
    v_credentials jsonb := '[]';
    v_agents jsonb := '[]';
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_phone_number_id', p_phone_number_id);
    perform wallet.require_text('p_actor', p_actor);

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_number
    from wallet.phone_numbers
    where org_id = p_org_id and id = p_phone_number_id;
    if not found then
        return wallet.refuse_unknown_number(p_org_id, p_phone_number_id::text);
    elsif v_number.status in ('provisioning', 'failed') then
        return wallet.refuse_number_status('number_not_active', v_number);
    end if;
    v_is_duplicate := v_number.status = 'released';

    if not v_is_duplicate then
        with unlinked as (
            update wallet.agents
            set phone_number_id = null, updated_at = clock_timestamp()
            where org_id = p_org_id and phone_number_id = p_phone_number_id
            returning id
        )

        select coalesce(jsonb_agg(id order by id), '[]') into v_agents from unlinked;

        -- The number lets go of its credential first: what still refers to one keeps it.
        update wallet.phone_numbers
        set credential_id = null
        where org_id = p_org_id and id = p_phone_number_id;

        with deleted as (
            delete from wallet.org_credentials as c
            where
                c.org_id = p_org_id
                and c.id = v_number.credential_id
                and c.managed
                and not exists (
                    select from wallet.phone_numbers as n
                    where n.org_id = p_org_id and n.credential_id = c.id
                )
            returning c.*
        )

        select
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'credential_id', id,
                        'provider', provider,
                        'provider_credential_id', provider_credential_id
                    )
                ),
                '[]'
            )
        into v_credentials
        from deleted;

        update wallet.phone_numbers
        set
            status = 'released',
            released_by = p_actor,
            released_at = clock_timestamp(),
            released_with = jsonb_build_object('deleted_credentials', v_credentials, 'unlinked_agents', v_agents),
            updated_at = clock_timestamp()
        where org_id = p_org_id and id = p_phone_number_id
        returning * into v_number;
    end if;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_is_duplicate,
        'org_id', p_org_id,
        'phone_number_id', p_phone_number_id,
        'released_number', v_number.number,
        'provider', v_number.provider,
        'provider_number_id', v_number.provider_number_id
    ) || v_number.released_with;
end;
$$;

revoke all on function wallet.release_phone_number(uuid, uuid, text) from public;
grant execute on function wallet.release_phone_number(uuid, uuid, text) to service_role;

comment on function wallet.release_phone_number(uuid, uuid, text) is
'Gives an active phone number up: unlinks every agent that answers it, and deletes the managed credential that no other number uses; the customer''s own stay. Answers what is to be deleted at the providers; a repetition, duplicate true, answers the same. Locks the organization''s row. Refuses organization_not_found, phone_number_not_found, number_not_active; raises WL001, WL005.';
