begin;
select plan(24);
\ir ../support.sql
\ir events.sql

select pg_temp.answers(
    to_jsonb(
        wallet.read_wallet_metadata(
            jsonb_set(pg_temp.session(), '{metadata,topup_id}', to_jsonb(pg_temp.org('top-up')))
        )
    ),
    jsonb_build_object(
        'kind', 'wallet_topup', 'org_id', pg_temp.org('acme'), 'topup_id', pg_temp.org('top-up'),
        'customer_id', 'cus_1', 'currency', 'gbp'
    ),
    'a wallet payment tells its kind, organization, top-up, customer and currency'
);
select is(
    (wallet.read_wallet_metadata(jsonb_set(pg_temp.session(), '{metadata,type}', '"wallet_auto_recharge"'))).kind,
    'wallet_auto_recharge',
    'an automatic recharge is one'
);
select is(
    (wallet.read_wallet_metadata(pg_temp.session('acme', '{"currency": "GBP"}'))).currency, 'gbp',
    'a currency is lower case'
);

-- The organization.
select is(
    (wallet.read_wallet_metadata(object)).org_id, pg_temp.org('acme'), format('the organization is told by %s', by)
)
from (
    values
    ('client_reference_id alone', pg_temp.session() #- '{metadata,org_id}'),
    ('metadata alone', pg_temp.session() - 'client_reference_id'),
    ('metadata beside null', pg_temp.session('acme', '{"client_reference_id": null}')),
    ('metadata beside a reference of another kind', pg_temp.session('acme', '{"client_reference_id": "order 7"}')),
    ('both', pg_temp.session()),
    ('metadata of a payment intent', pg_temp.intent())
) as told (by, object);

create function pg_temp.failure(p_object jsonb) returns text
language plpgsql
as $$
declare
    v_error text;
begin
    perform wallet.read_wallet_metadata(p_object);
    return null;
exception when sqlstate 'WL011' then
    get stacked diagnostics v_error = pg_exception_detail;
    return v_error;
end;
$$;

select is(
    pg_temp.failure(jsonb_set(pg_temp.session(), '{metadata,org_id}', to_jsonb(pg_temp.org('globex')))),
    'organization_mismatch',
    'two organizations in one payment are for a person to see'
);
select is(pg_temp.failure(object), 'organization_missing', format('no organization in %s is too', object))
from (
    values
    ('{"metadata": {"type": "wallet_topup"}}'::jsonb),
    ('{"metadata": {"type": "wallet_topup", "org_id": "acme"}}'),
    ('{"metadata": {"type": "wallet_topup", "org_id": ""}, "client_reference_id": ""}')
) as told (object);

-- Whose payment it is.
select is(
    (wallet.read_wallet_metadata(object)).kind, null, format('%s is no payment of a wallet', object)
)
from (
    values
    ('{}'::jsonb),
    ('{"metadata": null}'),
    ('{"metadata": {}}'),
    ('{"metadata": []}'),
    ('{"metadata": {"type": null}}'),
    ('{"metadata": {"type": 7}}'),
    ('{"metadata": {"type": "WALLET_TOPUP"}}'),
    ('{"metadata": {"type": "subscription", "org_id": 7}}')
) as told (object);

select pg_temp.raises(
    format('select wallet.read_wallet_metadata(pg_temp.session(%L, %L))', 'acme', changes), 'WL010', field,
    format('malformed: %s', changes)
)
from (
    values
    ('{"client_reference_id": 7}', 'client_reference_id'),
    ('{"customer": {"id": "cus_1"}}', 'customer'),
    ('{"currency": 7}', 'currency')
) as malformed (changes, field);

select * from finish();
rollback;
