create or replace function wallet.topup_return_url(p_topup_id uuid, p_return_url text, p_checkout text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select
        p_return_url
        || case when p_return_url ~ '\?' then '&' else '?' end
        || 'topup_id=' || p_topup_id || '&checkout=' || p_checkout
$$;

revoke all on function wallet.topup_return_url(uuid, text, text) from public;

comment on function wallet.topup_return_url(uuid, text, text) is
'Internal: where a customer comes back to from the checkout of a top-up, with its id and how it went: success or cancelled.';
