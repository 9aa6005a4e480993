create or replace function wallet.list_transactions(
    p_org_id uuid,
    p_limit integer default 50,
    p_before bigint default null,
    p_types text[] default null
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_type text;
    v_page jsonb;
    v_has_more boolean;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_limit', p_limit);
    if p_limit not between 1 and 500 then
        perform wallet.raise_misuse('WL006', 'p_limit', 'must be between 1 and 500', p_limit::text);
    end if;
    foreach v_type in array coalesce(p_types, '{}') loop
        if wallet.entry_directions(v_type) is null then
            perform wallet.raise_misuse('WL003', 'p_types', 'must be the ledger''s entry types', v_type);
        end if;
    end loop;

    if not exists (select from wallet.organizations where id = p_org_id) then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select coalesce(jsonb_agg(to_jsonb(page) order by page.entry_number desc), '[]') into v_page
    from (
        select
            entry_number,
            id,
            created_at,
            type,
            direction,
            amount_pence,
            balance_before_pence,
            balance_after_pence,
            call_id,
            vapi_call_id,
            description
        from wallet.credit_transactions
        where
            org_id = p_org_id
            and entry_number < coalesce(p_before, 9223372036854775807)
            and (p_types is null or type = any(p_types))
        order by entry_number desc
        limit p_limit + 1
    ) as page;

    v_has_more := jsonb_array_length(v_page) > p_limit;
    if v_has_more then
        v_page := v_page - p_limit;
    end if;

    return jsonb_build_object(
        'success', true,
        'org_id', p_org_id,
        'transactions', v_page,
        'has_more', v_has_more,
        'next_before', case when v_has_more then v_page -> -1 -> 'entry_number' end
    );
end;
$$;

revoke all on function wallet.list_transactions(uuid, integer, bigint, text[]) from public;
grant execute on function wallet.list_transactions(uuid, integer, bigint, text[]) to service_role, authenticated;

comment on function wallet.list_transactions(uuid, integer, bigint, text[]) is
'One page of the ledger, newest first: 1 to 500 entries with a number below p_before (null for the newest), of the given types (null for all). Pass next_before on for the next page. Refuses organization_not_found; raises WL001, WL003, WL006.';
