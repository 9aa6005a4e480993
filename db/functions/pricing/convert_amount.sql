create or replace function wallet.convert_amount(
    p_amount numeric,
    p_from text,
    p_to text,
    p_rounding text,
    p_org_id uuid default null,
    p_at timestamptz default pg_catalog.now()
)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value('p_amount', p_amount);
    perform wallet.require_currency('p_from', p_from);
    perform wallet.require_currency('p_to', p_to);
    perform wallet.require_rounding('p_rounding', p_rounding);
    perform wallet.require_value('p_at', p_at);
    if p_amount < 0 then
        perform wallet.raise_misuse('WL002', 'p_amount', 'must be 0 or more', p_amount::text);
    end if;

    return wallet.require_bigint(
        'p_amount',
        case
            when p_amount < 'infinity' then wallet.exchange(
                p_amount, p_from, p_to, wallet.find_exchange_rate(p_org_id, p_from, p_to, p_at), p_rounding
            )
            else p_amount
        end,
        p_amount
    );
end;
$$;

revoke all on function wallet.convert_amount(numeric, text, text, text, uuid, timestamptz) from public;
grant execute on function wallet.convert_amount(numeric, text, text, text, uuid, timestamptz) to service_role;

comment on function wallet.convert_amount(numeric, text, text, text, uuid, timestamptz) is
'Minor units of one currency as minor units of another, rounded up, nearest (halves up) or down, at the rate for the organization, or the general one, at a time. Null when there is no rate. Raises WL001, WL002, WL006, WL009.';
