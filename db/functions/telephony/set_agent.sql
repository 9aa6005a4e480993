-- An assistant belongs to one agent, so a new agent that is told of twice is still one.
create or replace function wallet.set_agent(
    p_org_id uuid,
    p_agent_id uuid,
    p_name text,
    p_vapi_assistant_id text default null,
    p_phone_number_id uuid default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_agent_id uuid;
    v_number wallet.phone_numbers;
    v_is_duplicate boolean;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_name', p_name);
    if p_vapi_assistant_id is not null then
        perform wallet.require_text('p_vapi_assistant_id', p_vapi_assistant_id);
    end if;

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select id into v_agent_id
    from wallet.agents
    where org_id = p_org_id and vapi_assistant_id = p_vapi_assistant_id;
    if v_agent_id <> p_agent_id then
        return wallet.refuse(
            'assistant_in_use',
            format('Assistant %s is that of agent %s.', p_vapi_assistant_id, v_agent_id),
            jsonb_build_object('vapi_assistant_id', p_vapi_assistant_id, 'agent_id', v_agent_id)
        );
    end if;

    if p_phone_number_id is not null then
        select * into v_number
        from wallet.phone_numbers
        where org_id = p_org_id and id = p_phone_number_id;
        if not found then
            return wallet.refuse_unknown_number(p_org_id, p_phone_number_id::text);
        elsif v_number.status <> 'active' then
            return wallet.refuse_number_status('number_not_active', v_number);
        end if;
    end if;

    v_agent_id := coalesce(p_agent_id, v_agent_id, gen_random_uuid());
    insert into wallet.agents as a (org_id, id, name, vapi_assistant_id, phone_number_id)
    values (p_org_id, v_agent_id, p_name, p_vapi_assistant_id, p_phone_number_id)
    on conflict (org_id, id) do update
    set
        name = excluded.name,
        vapi_assistant_id = excluded.vapi_assistant_id,
        phone_number_id = excluded.phone_number_id,
        updated_at = clock_timestamp()
    where
        (a.name, a.vapi_assistant_id, a.phone_number_id)
        is distinct from (excluded.name, excluded.vapi_assistant_id, excluded.phone_number_id);
    v_is_duplicate := not found;

    return jsonb_build_object(
        'success', true,
        'duplicate', v_is_duplicate,
        'org_id', p_org_id,
        'agent_id', v_agent_id,
        'name', p_name,
        'vapi_assistant_id', p_vapi_assistant_id,
        'phone_number_id', p_phone_number_id
    );
end;
$$;

revoke all on function wallet.set_agent(uuid, uuid, text, text, uuid) from public;
grant execute on function wallet.set_agent(uuid, uuid, text, text, uuid) to service_role;

comment on function wallet.set_agent(uuid, uuid, text, text, uuid) is
'Creates an agent, or sets all of it: its name, its assistant at Vapi and the active phone number that it answers, null for none. Without p_agent_id it is the agent that has the assistant, or a new one; an id that is not known yet is taken for a new agent. Locks the organization''s row. Refuses organization_not_found, assistant_in_use, phone_number_not_found, number_not_active; raises WL001, WL005.';
