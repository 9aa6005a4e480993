drop function if exists wallet.find_open_topup(uuid, bigint, text, text);

-- Another return address is another wish: nobody is led to a page that a colleague chose.
create or replace function wallet.find_open_topup(
    p_org_id uuid,
    p_amount_pence bigint,
    p_plan text,
    p_request_key text,
    p_return_url text
)
returns wallet.topups
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_topup wallet.topups;
begin
    select * into v_topup
    from wallet.topups
    where org_id = p_org_id and request_key = p_request_key;
    if found then
        return v_topup;
    end if;

    select t.* into v_topup
    from wallet.topups as t
    where
        org_id = p_org_id
        and kind = 'wallet_topup'
        and status in ('pending', 'failed')
        and (plan = p_plan or (p_plan is null and plan is null and amount_pence = p_amount_pence))
        and stripe_request ->> 'success_url' = wallet.topup_return_url(id, p_return_url, 'success')
        and wallet.is_topup_open(t)
    order by created_at desc
    limit 1;
    return v_topup;
end;
$$;

revoke all on function wallet.find_open_topup(uuid, bigint, text, text, text) from public;

comment on function wallet.find_open_topup(uuid, bigint, text, text, text) is
'Internal: the top-up of this request key, whatever became of it, or else one that waits to be paid for the same amount or plan and comes back to the same address; null when there is none. The caller holds the organization''s lock.';
