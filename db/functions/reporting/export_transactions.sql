create or replace function wallet.export_transactions(
    p_org_id uuid,
    p_before bigint default null,
    p_types text[] default null,
    p_from timestamptz default null,
    p_to timestamptz default null
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_page jsonb := wallet.list_transactions(p_org_id, 500, p_before, p_types, p_from, p_to);
    v_currency text;
    v_decimals integer;
begin
    if not (v_page ->> 'success')::boolean then
        return v_page;
    end if;

    select currency into v_currency from wallet.organizations where id = p_org_id;
    v_decimals := wallet.currency_decimals(v_currency);

    return v_page - 'transactions' || jsonb_build_object(
        'columns', jsonb_build_array('number', 'date', 'type', 'description', 'amount', 'balance', 'currency'),
        'rows', (
            select
                coalesce(
                    jsonb_agg(
                        jsonb_build_array(
                            entry_number::text,
                            to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                            type,
                            description,
                            round(
                                case direction when 'debit' then -amount_pence else amount_pence end
                                / 10::numeric ^ v_decimals,
                                v_decimals
                            )::text,
                            round(balance_after_pence / 10::numeric ^ v_decimals, v_decimals)::text,
                            upper(v_currency)
                        )
                        order by entry_number desc
                    ),
                    '[]'
                )
            from
                jsonb_to_recordset(v_page -> 'transactions') as entry (
                    entry_number bigint,
                    created_at timestamptz,
                    type text,
                    direction text,
                    amount_pence bigint,
                    balance_after_pence bigint,
                    description text
                )
        )
    );
end;
$$;

revoke all on function wallet.export_transactions(uuid, bigint, text[], timestamptz, timestamptz) from public;
grant execute on function wallet.export_transactions(uuid, bigint, text[], timestamptz, timestamptz)
to service_role, authenticated;

comment on function wallet.export_transactions(uuid, bigint, text[], timestamptz, timestamptz) is
'Up to 500 entries as rows of text for a file, with the names of their columns: amount and balance in whole units of the currency (-19.75), a debit negative, times in UTC. Pages as list_transactions does. Refuses organization_not_found; raises WL001, WL003, WL006.';
