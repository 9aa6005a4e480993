-- A retry under one key has to say the same, and a name can change: it is part of the key.
create or replace function wallet.answer_customer_request(p_organization wallet.organizations)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    with request as (
        select jsonb_strip_nulls(
            jsonb_build_object(
                'name', p_organization.name,
                'email', p_organization.email,
                'metadata', jsonb_build_object('org_id', p_organization.id)
            )
        ) as params
    )

    select jsonb_build_object(
        'success', true,
        'duplicate', false,
        'org_id', p_organization.id,
        'next', 'create_customer',
        'request', jsonb_build_object(
            'idempotency_key', format('customer:%s:%s', p_organization.id, md5(params::text)), 'params', params
        )
    )
    from request
$$;

revoke all on function wallet.answer_customer_request(wallet.organizations) from public;

comment on function wallet.answer_customer_request(wallet.organizations) is
'Internal: what Stripe is asked for where an organization is no customer there yet.';
