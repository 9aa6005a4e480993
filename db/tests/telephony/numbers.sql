-- Phone numbers as the tests need them. Included with \ir after support.sql.

-- Charges a number and has it bought; answers its id.
create function pg_temp.get_number(p_name text, p_number text, p_credential_id uuid default null) returns uuid
language plpgsql
as $$
begin
    perform wallet.provision_phone_number(pg_temp.org(p_name), p_number, 'buy ' || p_number);
    return wallet.complete_phone_provisioning(
        pg_temp.org(p_name), 'buy ' || p_number, 'PN' || p_number, p_credential_id
    ) ->> 'phone_number_id';
end;
$$;

create function pg_temp.credential(p_name text, p_id text, p_managed boolean) returns uuid
language sql
as $$
    select (wallet.set_credential(pg_temp.org(p_name), 'vapi', p_id, p_managed) ->> 'credential_id')::uuid
$$;

create function pg_temp.agent(p_name text, p_agent text, p_phone_number_id uuid default null) returns uuid
language sql
as $$
    select (
        wallet.set_agent(pg_temp.org(p_name), pg_temp.org(p_agent), p_agent, p_phone_number_id => p_phone_number_id)
        ->> 'agent_id'
    )::uuid
$$;

-- What has or had this number: the organization's rows, as their status and what they refer to.
create function pg_temp.number_rows(p_number text) returns text
language sql stable
return (
    select string_agg(
        format('%s%s', status, case when credential_id is not null then ' with a credential' end), ', '
        order by provisioned_at, status
    )
    from wallet.phone_numbers
    where number = p_number
);

-- References to a number that is not active, or to a credential that is gone.
create function pg_temp.stale_references() returns bigint
language sql stable
return (
    select count(*)
    from wallet.agents as a
    left join wallet.phone_numbers as n on n.org_id = a.org_id and n.id = a.phone_number_id
    where a.phone_number_id is not null and n.status is distinct from 'active'
) + (
    select count(*)
    from wallet.phone_numbers as n
    left join wallet.org_credentials as c on c.org_id = n.org_id and c.id = n.credential_id
    where n.credential_id is not null and (c.id is null or n.status <> 'active')
);

-- Another price of a number than the general one, in pence.
create function pg_temp.set_own_price(p_name text, p_pence numeric) returns void
language sql
as $$
    insert into wallet.prices (org_id, service, unit, unit_price, currency)
    values (pg_temp.org(p_name), 'phone_number', 'number', p_pence, 'gbp')
$$;

create function pg_temp.outcomes(p_statement text) returns text
language sql
as $$
    select string_agg(pg_temp.outcome(r, null, p_statement), ' ' order by r)
    from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as r
$$;
