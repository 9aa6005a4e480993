create or replace function wallet.refuse_missing_rate(p_from text, p_to text)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'exchange_rate_not_found',
        format('There is no exchange rate from %s to %s.', upper(p_from), upper(p_to)),
        jsonb_build_object('from_currency', p_from, 'to_currency', p_to)
    )
$$;

revoke all on function wallet.refuse_missing_rate(text, text) from public;

comment on function wallet.refuse_missing_rate(text, text) is
'Internal: the refusal exchange_rate_not_found.';
