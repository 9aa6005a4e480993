drop function if exists wallet.list_transactions(uuid, integer, bigint, text[]);

-- The ledger has no index by type, so that no charge pays for one. Instead a call looks at so many
-- entries and no more: it takes as long in a wallet of ten million as in one of ten thousand.
create or replace function wallet.list_transactions(
    p_org_id uuid,
    p_limit integer default 50,
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
    v_look constant bigint := 20000;
    v_type text;
    v_first bigint := 1;
    v_last bigint;
    v_down_to bigint;
    v_page jsonb;
    v_next_before bigint;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_limit', p_limit);
    if p_limit not between 1 and 500 then
        perform wallet.raise_misuse('WL006', 'p_limit', 'must be between 1 and 500', p_limit::text);
    elsif p_to < p_from then
        perform wallet.raise_misuse('WL006', 'p_to', 'must not be before p_from', p_to::text);
    end if;
    foreach v_type in array coalesce(p_types, '{}') loop
        if wallet.entry_directions(v_type) is null then
            perform wallet.raise_misuse('WL003', 'p_types', 'must be the ledger''s entry types', v_type);
        end if;
    end loop;

    select last_entry_number into v_last from wallet.organizations where id = p_org_id;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    if p_from is not null then
        v_first := wallet.last_entry_before(p_org_id, p_from) + 1;
    end if;
    if p_to is not null then
        v_last := wallet.last_entry_before(p_org_id, p_to);
    end if;
    if p_before is not null then
        v_last := least(v_last, greatest(p_before, 1) - 1);
    end if;
    v_down_to := case when p_types is null then v_first else greatest(v_first, v_last - v_look + 1) end;

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
            and entry_number between v_down_to and v_last
            and (p_types is null or type = any(p_types))
        order by entry_number desc
        limit p_limit + 1
    ) as page;

    if jsonb_array_length(v_page) > p_limit then
        v_page := v_page - p_limit;
        v_next_before := v_page -> -1 -> 'entry_number';
    elsif v_down_to > v_first then
        v_next_before := v_down_to;
    end if;

    return jsonb_build_object(
        'success', true,
        'org_id', p_org_id,
        'transactions', v_page,
        'has_more', v_next_before is not null,
        'next_before', v_next_before
    );
end;
$$;

revoke all on function wallet.list_transactions(uuid, integer, bigint, text[], timestamptz, timestamptz) from public;
grant execute on function wallet.list_transactions(uuid, integer, bigint, text[], timestamptz, timestamptz)
to service_role, authenticated;

comment on function wallet.list_transactions(uuid, integer, bigint, text[], timestamptz, timestamptz) is
'One page of the ledger, newest first: 1 to 500 entries with a number below p_before (null for the newest), of the given types (null for all), from p_from to before p_to (null for no end). Pass next_before on for the next page, while has_more: with p_types a call looks at 20,000 entries, so a page may be short or empty before the last. Refuses organization_not_found; raises WL001, WL003, WL006.';
