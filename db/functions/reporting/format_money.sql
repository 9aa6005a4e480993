create or replace function wallet.format_money(p_amount_pence bigint, p_currency text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    with style as (
        select
            wallet.currency_decimals(p_currency) as decimals,
            case p_currency
                when 'gbp' then '£'
                when 'usd' then '$'
                when 'eur' then '€'
                when 'jpy' then '¥'
                else upper(p_currency) || ' '
            end as symbol
    )

    select
        case when p_amount_pence < 0 then '-' else '' end
        || symbol
        || to_char(
            abs(p_amount_pence::numeric) / 10::numeric ^ decimals,
            'FM9,999,999,999,999,999,990' || case decimals when 0 then '' else '.' || repeat('0', decimals) end
        )
    from style
$$;

revoke all on function wallet.format_money(bigint, text) from public;
grant execute on function wallet.format_money(bigint, text) to service_role, authenticated;

comment on function wallet.format_money(bigint, text) is
'Minor units as people write them: 61900 gbp is £619.00, 5000 jpy is ¥5,000.';
